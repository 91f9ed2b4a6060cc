"""Mixing of images and noise of features, on the device, and the two banks that steer mixing."""

from .adaptive_cutmix import component_boxes, connected_components, draw_partners
from .confidence_bank import ClassBank, ConfidenceBank
from .copy_paste import copy_paste, draw_paste_classes
from .cutmix import (
    BatchCutMix,
    PairCutMix,
    box_mask,
    check_cutmix,
    mix,
    random_boxes,
)
from .feature_noise import add_noise, adversarial_noise, drop_active, drop_channels, erase_objects

__all__ = [
    'BatchCutMix',
    'ClassBank',
    'ConfidenceBank',
    'PairCutMix',
    'add_noise',
    'adversarial_noise',
    'box_mask',
    'check_cutmix',
    'component_boxes',
    'connected_components',
    'copy_paste',
    'draw_partners',
    'draw_paste_classes',
    'drop_active',
    'drop_channels',
    'erase_objects',
    'mix',
    'random_boxes',
]
