"""What a pass over the pool shows of its images."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ...models.utils.labels import hard_labels
from .pool import PoolImage


@dataclass
class ScoredImage:
    """A pool image and the scores of its cells.

    Attributes:
        image: The image.
        scores: ``(h, w)`` float16, ``-inf`` = never ask.
        rows: ``(h,)`` native rows of the cells' centres.
        columns: ``(w,)`` native columns of them.
        classes: ``(h, w)`` uint8 predicted classes, where the selector balances them.
        prepared: Result of :meth:`Selector.prepare` for the image.
        ranked: Whether the scores are turns of the image's cells, see ``QueryStrategy.ranks``.
        embedding: ``(D,)`` of the image or ``(D, h, w)`` of its cells, float32, where the strategy
            embeds.
    """

    image: PoolImage
    scores: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    classes: np.ndarray | None = None
    prepared: np.ndarray | None = None
    ranked: bool = False
    embedding: np.ndarray | None = None

    @property
    def wanted(self) -> np.ndarray:
        """``(h, w)`` bool: cells inside the image that may be asked."""
        height, width = self.image.size
        inside = (self.rows < height)[:, None] & (self.columns < width)
        return inside & (self.scores > -np.inf)

    @property
    def free(self) -> np.ndarray:
        """``(h, w)`` bool: cells whose centre was not asked or labelled before; any in padding."""
        if self.image.taken is None:
            return np.ones(self.scores.shape, bool)
        height, width = self.image.size
        inside = np.ix_(self.rows.clip(max=height - 1), self.columns.clip(max=width - 1))
        return ~self.image.taken[inside]


def cell_centres(native: int, cells: int, shown: int = 1, padded: int = 1) -> np.ndarray:
    """Native rows (or columns) at the centres of a grid's cells.

    Args:
        native: Height of the image file.
        cells: Height of the grid.
        shown: Height that the image has in the network's input.
        padded: Height of that input; the grid spans it.

    Returns:
        np.ndarray: ``(cells,)`` int64; ``native`` or more in the padding.
    """
    return (2 * np.arange(cells) + 1) * native * padded // (2 * cells * shown)


NEVER = float('-inf')
"""Score of what must not be asked."""


@dataclass
class PoolOutputs:
    """What the network shows of a batch of pool images, on the grid of its decode head.

    Attributes:
        logits: ``(N, K, h, w)`` float32.
        keys: ``(N,)`` int64 pool indices, on the host.
        seed: Seed of this query.
        features: Maps that the strategy's ``taps`` name, ``(N, C, h, w)`` each of its own size,
            where it needs ``'features'``; without ``taps`` F1 and F2 of the refinement.
        valid: ``(N, h, w)`` bool, False in the padding; ``None`` where there is none.
        flagged: ``(N, h, w)`` bool error mask of the model's refinement without the padding,
            where the strategy needs ``'flagged'`` and the model has one.
        error_probability: ``(N, h, w)`` probability of the EMD that the label is wrong, where the
            strategy needs ``'error_probability'``.
        passes: ``(T, N, K, h, w)`` float32 logits of T passes with dropout, where the strategy has
            ``passes``.
        committee: ``(M, N, K, h, w)`` float32 logits of M networks of the model, where the
            strategy has ``networks``.
        manual: ``(N, h, w)`` int64 manual labels, 255 elsewhere; this and the next three where
            the strategy needs ``'refinement'``.
        labels: ``(N, h, w)`` int64 refined labels.
        unresolved: ``(N, h, w)`` bool, flagged pixels that the refinement does not decide.
        margin: ``(N, h, w)`` float32 in [0, 1], margin of the refinement's decision.
    """

    logits: Tensor
    keys: Tensor
    seed: int = 0
    features: list[Tensor] = field(default_factory=list)
    valid: Tensor | None = None
    flagged: Tensor | None = None
    error_probability: Tensor | None = None
    passes: Tensor | None = None
    committee: Tensor | None = None
    manual: Tensor | None = None
    labels: Tensor | None = None
    unresolved: Tensor | None = None
    margin: Tensor | None = None

    @property
    def inside(self) -> Tensor:
        """``(N, h, w)`` bool, False in the padding."""
        cells = self.logits[:, 0]
        return torch.ones_like(cells, dtype=torch.bool) if self.valid is None else self.valid

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


class Scorer(Protocol):
    """What the pass over the pool and the selection ask of a strategy; see ``QueryStrategy``."""

    needs: tuple[str, ...]
    taps: tuple[str, ...]
    mean_of: str
    scales: tuple[float, ...]
    passes: int
    networks: tuple[str, ...] | None
    in_pool_order: bool
    ranks: bool
    picks: bool
    embeds: bool

    def check(self, model: nn.Module) -> None:
        """Raises ``UserError`` if the model lacks what the strategy needs."""

    def score(self, outputs: PoolOutputs) -> Tensor:
        """``(N, h, w)`` scores."""

    def embed(self, outputs: PoolOutputs) -> Tensor | None:
        """``(N, D)`` or ``(N, D, h, w)`` embeddings."""

    def pick(self, candidates) -> np.ndarray:
        """Records of the units that are chosen jointly."""
