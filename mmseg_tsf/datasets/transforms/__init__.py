"""Transforms for samples without labels."""

from .loading import LoadEmptyAnnotations

__all__ = ['LoadEmptyAnnotations']
