"""In which units to ask, whatever the strategy."""

from .base import Candidates, ScoredImage, Selector, cell_centres
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
