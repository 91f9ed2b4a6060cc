"""Whole images, as the paper's baselines ask."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ....utils.errors import UserError
from ...pool.outputs import ScoredImage, Scorer
from ...pool.pool import PoolImage
from ...registry import SELECTORS
from .base import Candidates, Selector


@SELECTORS.register_module()
class ImageSelector(Selector):
    """Asks whole images, those of the highest mean score first.

    The mean is over the cells that may be asked and were not before. A budget of pixels is never
    exceeded: an image that does not fit is passed over.
    """

    budgets = ('images', 'pixels')
    whole_images = True

    def __init__(self) -> None:
        super().__init__()

    def check_strategy(self, strategy: Scorer) -> None:
        """See the base class; turns that cells take inside an image say nothing of images."""
        if strategy.ranks:
            raise UserError(
                f'{type(strategy).__name__} spreads what is asked inside of images, and '
                'ImageSelector asks whole ones: take a PixelSelector or another strategy'
            )

    def candidates(self, scored: ScoredImage) -> Candidates:
        """One, with the unit 0; none where nothing may be asked or nothing is left to ask."""
        open_cells = scored.wanted & scored.free
        cells = open_cells if open_cells.any() else scored.wanted  # a few pixels may be left
        scores = scored.scores[cells].astype(np.float64)
        pixels = int(scored.image.free.sum())
        units = np.zeros(int(len(scores) > 0 and pixels > 0), np.uint32)
        mean = scores.mean() if len(units) else 0.0
        return Candidates(
            units,
            np.full(len(units), mean, np.float16),
            np.full(len(units), pixels, np.uint32),
            np.zeros(len(units), np.uint8),
        )

    def mask(
        self, units: np.ndarray, image: PoolImage, limits: Mapping[int, int] | None = None
    ) -> np.ndarray:
        """See the base class; images are never asked in part, so there are no limits."""
        return image.free if len(units) else np.zeros(image.size, bool)
