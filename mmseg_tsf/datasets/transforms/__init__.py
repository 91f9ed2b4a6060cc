"""Transforms for samples without labels."""

from .loading import LoadEmptyAnnotations, LoadManualAnnotations

__all__ = ['LoadEmptyAnnotations', 'LoadManualAnnotations']
