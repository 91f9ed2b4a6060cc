"""Exchange formats, one file each."""

from .base import ExchangeFormat, Package, PackedImage, Parse
from .coco import COCOFormat
from .cvat import CVATFormat
from .label_studio import LabelStudioFormat
from .labelme import LabelMeFormat
from .masks import MaskFormat
from .page import PageFormat

__all__ = [
    'COCOFormat',
    'CVATFormat',
    'ExchangeFormat',
    'LabelMeFormat',
    'LabelStudioFormat',
    'MaskFormat',
    'Package',
    'PackedImage',
    'PageFormat',
    'Parse',
]
