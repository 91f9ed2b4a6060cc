"""Transforms for samples without labels, or with a few."""

from .loading import LoadEmptyAnnotations, LoadManualAnnotations
from .resizing import SparseLabelResize

__all__ = ['LoadEmptyAnnotations', 'LoadManualAnnotations', 'SparseLabelResize']
