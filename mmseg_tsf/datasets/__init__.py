"""Data sets, samplers and transforms."""

from .camvid import CamVidDataset
from .samplers import SemiInfiniteSampler
from .semi_dataset import SemiDataset
from .transforms.loading import LoadEmptyAnnotations, LoadManualAnnotations

__all__ = [
    'CamVidDataset',
    'LoadEmptyAnnotations',
    'LoadManualAnnotations',
    'SemiDataset',
    'SemiInfiniteSampler',
]
