"""Metrics."""

from .class_iou import ClassIoUMetric
from .pseudo_label_quality import PseudoLabelQuality

__all__ = ['ClassIoUMetric', 'PseudoLabelQuality']
