"""What a strategy sees of the pool, and what it says."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from ...utils.errors import UserError
from ..pool.outputs import PoolOutputs


class QueryStrategy(ABC):
    """Says how much a pixel's label is wanted.

    How many pixels are asked, and whether in pixels, regions or images, is the selector's
    business. Equal scores are told apart by a hash of seed, image and unit.

    Attributes:
        needs: Subset of ``'features'``, ``'flagged'`` and ``'refinement'``, see
            :class:`PoolOutputs`.
        in_pool_order: Whether an image is asked as far as the budget goes before the next one.
        ranks: Whether the scores are turns that the cells of an image take, so that a mean of
            them says nothing.
    """

    needs: tuple[str, ...] = ()
    in_pool_order = False
    ranks = False

    def check(self, model: nn.Module) -> None:
        """Refuses, with a ``UserError``, a model that lacks what the strategy needs."""
        return None

    @abstractmethod
    def score(self, outputs: PoolOutputs) -> Tensor:
        """``(N, h, w)`` float, higher = ask first, ``-inf`` = never ask."""


def check_threshold(name: str, threshold: float) -> float:
    """Refuses a confidence outside (0, 1) with a ``UserError`` that names the key."""
    if not 0 < threshold < 1:
        raise UserError(f'{name}={threshold} must lie in (0, 1): the paper takes 0.7')
    return threshold
