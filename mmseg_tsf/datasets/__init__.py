"""Data sets, samplers and transforms."""

from .camvid import CamVidDataset
from .demo_street import DemoStreetDataset
from .samplers import SemiInfiniteSampler
from .semi_dataset import SemiDataset
from .transforms import LoadEmptyAnnotations, LoadManualAnnotations

__all__ = [
    'CamVidDataset',
    'DemoStreetDataset',
    'LoadEmptyAnnotations',
    'LoadManualAnnotations',
    'SemiDataset',
    'SemiInfiniteSampler',
]
