"""Regions of an image: the cells of a coarse grid, or superpixels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
from PIL import Image
from scipy import ndimage

from ....utils.errors import UserError
from ...pool.outputs import ScoredImage
from ...pool.pool import PoolImage
from ...registry import SELECTORS
from ..clicks import count_clicks
from .base import Candidates, Selector, at_least_one


class RegionSelector(Selector):
    """Asks whole regions, those of the highest mean score first.

    The mean is over the scored cells that may be asked and whose centre lies in the region and
    was not asked before; a region without any is not asked. Where a strategy lets the cells of an
    image take turns, the best of them counts in the place of the mean. A region costs its native
    pixels that were not asked before. A budget of pixels is never exceeded: a region that does not
    fit is passed over.

    Args:
        size: About the side of a region in native pixels; no smaller than a scored cell.
        class_balanced: See :class:`Selector`; the class of a region is its most frequent one.

    Raises:
        UserError: ``size`` is below 1.
    """

    def __init__(self, size: int, class_balanced: bool = False) -> None:
        super().__init__(class_balanced)
        self.size = at_least_one(f'{type(self).__name__}.size', size)

    @abstractmethod
    def regions(self, image: PoolImage) -> np.ndarray:
        """``(H, W)`` int32 numbers of the regions, from 0."""

    def candidates(self, scored: ScoredImage) -> Candidates:
        """One for each region; the unit is its number."""
        regions, taken = scored.prepared, scored.image.taken
        if regions is None:
            regions = self.regions(scored.image)
        row, column = (scored.wanted & scored.free).nonzero()
        own = regions[scored.rows[row], scored.columns[column]]
        count = np.bincount(own)
        units = count.nonzero()[0]
        pixels = regions if taken is None else regions[~taken]
        pixels = np.bincount(pixels.ravel(), minlength=len(count))[units]
        groups = np.zeros(len(units), np.uint8)
        if self.class_balanced and len(units):
            classes = scored.classes[row, column].astype(np.int64)
            votes = np.bincount(own * 256 + classes, minlength=len(count) * 256)
            groups = votes.reshape(-1, 256)[units].argmax(axis=1).astype(np.uint8)
        scores = _region_scores(own, scored.scores[row, column], scored.ranked)[units]
        return Candidates(
            units.astype(np.uint32), scores.astype(np.float16), pixels.astype(np.uint32), groups
        )

    def clicks(self, scored: ScoredImage, units: np.ndarray) -> np.ndarray:
        """See the base class; the regions are made once."""
        regions = self.regions(scored.image) if scored.prepared is None else scored.prepared
        regions = np.where(scored.image.free, regions + 1, 0)
        boxes = ndimage.find_objects(regions)
        counts = (count_clicks(regions[boxes[unit]] == unit + 1) for unit in units.tolist())
        return np.fromiter(counts, np.uint32, len(units))

    def mask(
        self, units: np.ndarray, image: PoolImage, limits: Mapping[int, int] | None = None
    ) -> np.ndarray:
        """See the base class; regions are never asked in part, so there are no limits."""
        return np.isin(self.regions(image), units) & image.free


def _region_scores(regions: np.ndarray, scores: np.ndarray, ranked: bool) -> np.ndarray:
    """Mean score of each region by its number, or the best; of no cells, anything.

    Args:
        regions: ``(C,)`` int region of each cell.
        scores: ``(C,)`` of the cells.
        ranked: Whether the best score counts instead of the mean.
    """
    if ranked:
        best = np.full(regions.max(initial=-1) + 1, -np.inf)
        np.maximum.at(best, regions, scores)
        return best
    return np.bincount(regions, weights=scores) / np.bincount(regions).clip(min=1)


@SELECTORS.register_module()
class GridSelector(RegionSelector):
    """Squares of ``size`` x ``size`` native pixels, cut at the image's right and lower edge."""

    def regions(self, image: PoolImage) -> np.ndarray:
        """See the base class."""
        height, width = image.size
        per_row = -(-width // self.size)
        row = np.arange(height, dtype=np.int32) // self.size * per_row
        return row[:, None] + np.arange(width, dtype=np.int32) // self.size


@SELECTORS.register_module()
class SuperpixelSelector(RegionSelector):
    """Superpixels of the native image: SLIC (Achanta et al. 2012), which draws nothing at random.

    Args:
        size: See :class:`RegionSelector`.
        compactness: Weight of nearness against colour.
        class_balanced: See :class:`RegionSelector`.
    """

    def __init__(
        self, size: int = 32, compactness: float = 10.0, class_balanced: bool = False
    ) -> None:
        super().__init__(size, class_balanced)
        if compactness <= 0:
            raise UserError(f'SuperpixelSelector.compactness={compactness} must be above 0')
        self.compactness = compactness

    def prepare(self, image: PoolImage) -> np.ndarray:
        """The regions: seconds for a large image."""
        return self.regions(image)

    def regions(self, image: PoolImage) -> np.ndarray:
        """See the base class."""
        from skimage.segmentation import slic  # half a second that other selectors need not wait

        with Image.open(image.path) as file:
            pixels = np.asarray(file.convert('RGB'))
        number = max(1, round(pixels.shape[0] * pixels.shape[1] / self.size**2))
        found = slic(pixels, number, compactness=self.compactness, start_label=0)
        return found.astype(np.int32)
