"""Regions of an image: the cells of a coarse grid, or superpixels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from ....utils.errors import UserError
from ....utils.options import check_count
from ...pool.outputs import ScoredImage
from ...pool.pool import PoolImage
from ...registry import SELECTORS
from ..clicks import count_clicks
from .base import Candidates, Selector


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
        max_per_image: See :class:`Selector`.

    Raises:
        UserError: ``size`` or ``max_per_image`` is below 1.
    """

    def __init__(
        self, size: int, class_balanced: bool = False, max_per_image: int | None = None
    ) -> None:
        super().__init__(class_balanced, max_per_image)
        self.size = check_count(f'{type(self).__name__}.size', size)

    @abstractmethod
    def regions(self, image: PoolImage) -> np.ndarray:
        """``(H, W)`` int32 numbers of the regions, from 0."""

    def candidates(self, scored: ScoredImage) -> Candidates:
        """One for each region; the unit is its number."""
        regions, taken = self._regions_of(scored), scored.image.taken
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

    def _unit_means(self, scored: ScoredImage, units: np.ndarray) -> np.ndarray:
        """``(M, D)`` means over the cells whose centre lies in a region and may be asked."""
        row, column = (scored.wanted & scored.free).nonzero()
        own = self._regions_of(scored)[scored.rows[row], scored.columns[column]]
        count = np.bincount(own)[units]
        sums = [
            np.bincount(own, weights=cells)[units] for cells in scored.embedding[:, row, column]
        ]
        return (np.stack(sums, axis=1) / count[:, None]).astype(np.float32)

    def _regions_of(self, scored: ScoredImage) -> np.ndarray:
        """The regions of an image, made once where the loader's workers have made them."""
        return self.regions(scored.image) if scored.prepared is None else scored.prepared

    def clicks(self, scored: ScoredImage, units: np.ndarray) -> np.ndarray:
        """See the base class."""
        regions = self._regions_of(scored)
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
    """Squares of ``size`` x ``size`` native pixels, cut at the image's right and lower edge.

    Args:
        size: See :class:`RegionSelector`.
        class_balanced: See :class:`RegionSelector`.
        max_per_image: See :class:`RegionSelector`.
        inner: Whether the squares at the border of the image are never asked, as in S4AL.
    """

    def __init__(
        self,
        size: int,
        class_balanced: bool = False,
        max_per_image: int | None = None,
        inner: bool = False,
    ) -> None:
        super().__init__(size, class_balanced, max_per_image)
        self.inner = inner

    def candidates(self, scored: ScoredImage) -> Candidates:
        """See the base class."""
        found = super().candidates(scored)
        if not self.inner:
            return found
        down, across = (-(-side // self.size) for side in scored.image.size)
        row, column = np.divmod(found.units.astype(np.int64), across)
        inside = (row > 0) & (row < down - 1) & (column > 0) & (column < across - 1)
        return Candidates(*(own[inside] for own in found))

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
        max_per_image: See :class:`RegionSelector`.
    """

    def __init__(
        self,
        size: int = 32,
        compactness: float = 10.0,
        class_balanced: bool = False,
        max_per_image: int | None = None,
    ) -> None:
        super().__init__(size, class_balanced, max_per_image)
        if compactness <= 0:
            raise UserError(f'SuperpixelSelector.compactness={compactness} must be above 0')
        self.compactness = compactness

    def prepare(self, image: PoolImage) -> np.ndarray:
        """The regions: seconds for a large image."""
        return self.regions(image)

    def regions(self, image: PoolImage) -> np.ndarray:
        """See the base class."""
        from skimage.segmentation import slic  # half a second that other selectors need not wait

        pixels = image.picture()[..., ::-1]  # RGB
        number = max(1, round(pixels.shape[0] * pixels.shape[1] / self.size**2))
        found = slic(pixels, number, compactness=self.compactness, start_label=0)
        return found.astype(np.int32)
