"""Data sets, their samplers, transforms, split lists and file checks."""

from .aerial import AerialChipsDataset
from .camvid import CamVidDataset
from .samplers import SemiInfiniteSampler
from .semi_dataset import SemiDataset
from .steel import SteelDefectDataset
from .transforms import (
    LoadEmptyAnnotations,
    LoadManualAnnotations,
    RandomGaussianBlur,
    SparseLabelResize,
)

__all__ = [
    'AerialChipsDataset',
    'CamVidDataset',
    'LoadEmptyAnnotations',
    'LoadManualAnnotations',
    'RandomGaussianBlur',
    'SemiDataset',
    'SemiInfiniteSampler',
    'SparseLabelResize',
    'SteelDefectDataset',
]
