"""Helpers of the models."""

from .ema import ema_update
from .feature_tap import FeatureTap
from .labels import PseudoLabels, hard_labels, pseudo_labels
from .pixel_losses import consistency_loss, masked_mean, weighted_cross_entropy

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
