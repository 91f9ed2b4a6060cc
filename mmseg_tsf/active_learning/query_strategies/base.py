"""What a strategy sees of the pool, and what it says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor, nn

from ...models.utils import hard_labels

NEVER = float('-inf')
"""The score of what must not be asked."""


@dataclass
class PoolOutputs:
    """What the network shows of a batch of pool images, on the grid of its decode head.

    Attributes:
        logits: ``(N, K, h, w)`` float32.
        keys: ``(N,)`` int64 pool indices, on the host.
        seed: Of this query.
        features: Tapped maps F1 ``(N, C1, h1, w1)`` and F2 ``(N, C2, h2, w2)``, where the
            strategy needs ``'features'``.
        valid: ``(N, h, w)`` bool, False in the padding; ``None`` where there is none.
        flagged: ``(N, h, w)`` bool error mask of the model's refinement without the padding,
            where the strategy needs ``'flagged'`` and the model has one.
        manual: ``(N, h, w)`` int64 manual labels, 255 elsewhere; this and the next three where
            the strategy needs ``'refinement'``.
        labels: ``(N, h, w)`` int64 refined labels.
        unresolved: ``(N, h, w)`` bool, flagged pixels that the refinement leaves open.
        margin: ``(N, h, w)`` float32 in [0, 1], its margin.
    """

    logits: Tensor
    keys: Tensor
    seed: int = 0
    features: list[Tensor] = field(default_factory=list)
    valid: Tensor | None = None
    flagged: Tensor | None = None
    manual: Tensor | None = None
    labels: Tensor | None = None
    unresolved: Tensor | None = None
    margin: Tensor | None = None

    @cached_property
    def probs(self) -> Tensor:
        """``(N, K, h, w)`` softmax."""
        return self.logits.softmax(dim=1)

    @cached_property
    def confidence(self) -> Tensor:
        """``(N, h, w)`` largest probability."""
        return self.probs.amax(dim=1)

    @cached_property
    def predicted(self) -> Tensor:
        """``(N, h, w)`` int64 predicted classes."""
        return hard_labels(self.logits)


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
        """Refuses, with a ``ValueError``, a model that lacks what the strategy needs."""
        return None

    @abstractmethod
    def score(self, outputs: PoolOutputs) -> Tensor:
        """``(N, h, w)`` float, higher = ask first, ``-inf`` = never ask."""


def check_threshold(name: str, threshold: float) -> float:
    """Refuses a confidence outside (0, 1) with a ``ValueError`` that names the key."""
    if not 0 < threshold < 1:
        raise ValueError(f'{name}={threshold} must lie in (0, 1): the paper takes 0.7')
    return threshold
