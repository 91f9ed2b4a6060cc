"""Image mixing: tensor functions on the device, and the two banks that steer them."""

from .adaptive_cutmix import component_boxes, connected_components, draw_partners
from .confidence_bank import ClassBank, ConfidenceBank
from .copy_paste import copy_paste, draw_paste_classes
from .cutmix import BatchCutMix, PairCutMix, box_mask, check_cutmix, mix, random_boxes

__all__ = [
    'BatchCutMix',
    'ClassBank',
    'ConfidenceBank',
    'PairCutMix',
    'box_mask',
    'check_cutmix',
    'component_boxes',
    'connected_components',
    'copy_paste',
    'draw_partners',
    'draw_paste_classes',
    'mix',
    'random_boxes',
]
