"""Helpers of the models."""

from .ema import ema_update
from .feature_tap import FeatureTap
from .pixel_losses import (
    PseudoLabels,
    consistency_loss,
    hard_labels,
    masked_mean,
    pseudo_labels,
    weighted_cross_entropy,
)

__all__ = [
    'FeatureTap',
    'PseudoLabels',
    'consistency_loss',
    'ema_update',
    'hard_labels',
    'masked_mean',
    'pseudo_labels',
    'weighted_cross_entropy',
]
