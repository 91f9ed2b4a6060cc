"""Selectors: the units in which people are asked."""

from ...pool.outputs import ScoredImage, cell_centres
from .base import Candidates, Selector
from .images import ImageSelector
from .pixels import PixelSelector
from .regions import GridSelector, RegionSelector, SuperpixelSelector

__all__ = [
    'Candidates',
    'GridSelector',
    'ImageSelector',
    'PixelSelector',
    'RegionSelector',
    'ScoredImage',
    'Selector',
    'SuperpixelSelector',
    'cell_centres',
]
