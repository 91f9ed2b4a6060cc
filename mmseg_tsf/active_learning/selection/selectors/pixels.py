"""Single pixels, or small blocks of them, that stand apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ....utils.errors import UserError
from ....utils.options import check_count
from ...pool.outputs import ScoredImage
from ...pool.pool import PoolImage
from ...registry import SELECTORS
from ..clicks import count_clicks
from .base import Candidates, Selector
from .suppression import suppress


@SELECTORS.register_module()
class PixelSelector(Selector):
    """Asks the native pixel at the centre of a cell, or a block of pixels around it.

    Within an image the best come first and suppress their neighbours. Blocks never overlap: a
    cell too near to a better one is left out. A budget of pixels is met exactly, by a last block
    that is asked in part; pixels that were asked before cost nothing and are not asked.

    Args:
        suppression: Cells that an asked cell keeps free around it, in every direction; 0 for
            none.
        max_per_image: See :class:`Selector`.
        block: Side of the block in native pixels; the stride of the grid for whole cells.
        class_balanced: See :class:`Selector`.

    Raises:
        UserError: An option is out of its range; the message names it.
    """

    can_trim = True

    def __init__(
        self,
        suppression: int = 1,
        max_per_image: int | None = None,
        block: int = 1,
        class_balanced: bool = False,
    ) -> None:
        super().__init__(class_balanced, max_per_image)
        if not isinstance(suppression, int) or suppression < 0:
            raise UserError(
                f'PixelSelector.suppression={suppression!r} must be a whole number of cells, 0 '
                'for none'
            )
        self.suppression = suppression
        self.block = check_count('PixelSelector.block', block)

    def candidates(self, scored: ScoredImage) -> Candidates:
        """One for each cell; the unit is the flat native position of its centre."""
        wanted, width = scored.wanted, scored.image.size[1]
        # of cells with one centre, on a grid finer than the image, the first stands for all
        wanted &= (np.diff(scored.rows, prepend=-1) > 0)[:, None]
        wanted &= np.diff(scored.columns, prepend=-1) > 0
        pixels = self._free_pixels(scored)
        if pixels is not None:
            wanted &= pixels > 0
        row, column = wanted.nonzero()
        units = scored.rows[row] * width + scored.columns[column]
        cost = np.ones(len(units), np.uint32) if pixels is None else pixels[row, column]
        groups = np.zeros(len(units), np.uint8)
        if self.class_balanced:
            groups = scored.classes[row, column]
        return Candidates(units.astype(np.uint32), scored.scores[row, column], cost, groups)

    def _free_pixels(self, scored: ScoredImage) -> np.ndarray | None:
        """``(h, w)`` pixels that each cell's block would cost; ``None`` for 1 everywhere."""
        image = scored.image
        if self.block == 1 and image.taken is None:
            return None
        top, bottom = self._extent(scored.rows, image.size[0])
        left, right = self._extent(scored.columns, image.size[1])
        area = ((bottom - top)[:, None] * (right - left)).astype(np.uint32)
        if image.taken is None:
            return area
        if self.block == 1:
            return area * scored.free
        # sums over boxes from a table of sums over the pixels above and to the left
        table = np.zeros((image.size[0] + 1, image.size[1] + 1), np.int64)
        np.cumsum(np.cumsum(image.taken, axis=0, dtype=np.int32), axis=1, out=table[1:, 1:])
        rows = table[bottom] - table[top]
        return area - (rows[:, right] - rows[:, left]).astype(np.uint32)

    def _extent(self, centres: np.ndarray, native: int) -> tuple[np.ndarray, np.ndarray]:
        """First and last (exclusive) rows or columns of the blocks, cut at the image's edge."""
        first = centres - self.block // 2
        return first.clip(0, native), (first + self.block).clip(0, native)

    def thin(self, scored: ScoredImage, candidates: Candidates, order: np.ndarray) -> np.ndarray:
        """Suppression, best first, and the limit per image."""
        centres = np.divmod(candidates.units[order], scored.image.size[1])
        cells = np.stack(
            [
                np.searchsorted(axis, np.arange(native))[own]
                for axis, native, own in zip(
                    (scored.rows, scored.columns), scored.image.size, centres, strict=True
                )
            ],
            axis=1,
        )
        reach = self._reach(scored.rows), self._reach(scored.columns)
        enough = None if self.class_balanced else self.max_per_image
        return super().thin(scored, candidates, order[suppress(cells, *reach, enough)])

    def _reach(self, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many cells before and behind each one are suppressed, or overlap, along an axis."""
        place = np.arange(len(centres))
        before = place - np.searchsorted(centres, centres - self.block, side='right')
        behind = np.searchsorted(centres, centres + self.block, side='left') - 1 - place
        before = np.maximum(before, self.suppression)
        behind = np.maximum(behind, self.suppression)
        return np.minimum(before, place), np.minimum(behind, place[::-1])

    def _unit_means(self, scored: ScoredImage, units: np.ndarray) -> np.ndarray:
        """``(M, D)`` embeddings of the cells at the units' centres, which are scored, too."""
        row, column = np.divmod(np.asarray(units, np.int64), scored.image.size[1])
        row, column = np.searchsorted(scored.rows, row), np.searchsorted(scored.columns, column)
        return scored.embedding[:, row, column].T

    def clicks(self, scored: ScoredImage, units: np.ndarray) -> np.ndarray:
        """See the base class; a single pixel is one click."""
        if self.block == 1:
            return np.ones(len(units), np.uint32)
        free, (height, width) = scored.image.free, scored.image.size
        row, column = np.divmod(np.asarray(units, np.int64), width)
        sides = (*self._extent(row, height), *self._extent(column, width))
        blocks = (free[t:b, left:right] for t, b, left, right in zip(*sides, strict=True))
        return np.fromiter(map(count_clicks, blocks), np.uint32, len(units))

    def mask(
        self, units: np.ndarray, image: PoolImage, limits: Mapping[int, int] | None = None
    ) -> np.ndarray:
        """See the base class."""
        height, width = image.size
        mask, free, limits = np.zeros(image.size, bool), image.free, limits or {}
        row, column = np.divmod(np.asarray(units, np.int64), width)
        sides = (*self._extent(row, height), *self._extent(column, width))
        for unit, top, bottom, left, right in zip(units, *sides, strict=True):
            own = free[top:bottom, left:right]
            if int(unit) in limits:
                own = own & (own.cumsum().reshape(own.shape) <= limits[int(unit)])
            mask[top:bottom, left:right] |= own
        return mask
