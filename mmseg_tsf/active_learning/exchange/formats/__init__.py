"""Exchange formats, one file each."""

from .base import ExchangeFormat, Package, PackedImage
from .coco import COCOFormat
from .cvat import CVATFormat
from .label_studio import LabelStudioFormat
from .masks import MaskFormat
from .page import PageFormat

__all__ = [
    'COCOFormat',
    'CVATFormat',
    'ExchangeFormat',
    'LabelStudioFormat',
    'MaskFormat',
    'Package',
    'PackedImage',
    'PageFormat',
]
