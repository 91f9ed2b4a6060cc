"""Base of the query strategies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from ...utils.errors import UserError
from ..pool.outputs import PoolOutputs
from ..pool.pool import Pool
from ..selection.joint import JointCandidates


@dataclass
class QueryContext:
    """Everything that a strategy may use before a pass over the pool.

    Attributes:
        model: The ``SemiSegmentor`` with the weights of now.
        pool: The images that may be asked, with the labels that are known of them.
        labelled: The images that are labelled from the start, shown as the pool is; ``None``
            where the query does not know them.
        number: Number of the round, from 0.
        rounds: Number of rounds in all.
        seed: Seed of this query.
        folder: Scratch folder of this round. It survives a kill, so that a strategy which fits
            something on the pool can go on from what it has written there.
        class_counts: Function that returns the ``(K,)`` labelled pixels of each class so far, of
            initial images and answers; it reads the initial masks.
    """

    model: nn.Module
    pool: Pool
    labelled: Pool | None
    number: int
    rounds: int
    seed: int
    folder: Path
    class_counts: Callable[[], np.ndarray]


class QueryStrategy(ABC):
    """Scores how useful a pixel's label would be.

    How many pixels are asked, and whether in pixels, regions or images, is the selector's
    business. Equal scores are told apart by a hash of seed, image and unit. A round calls
    :meth:`begin`, then :meth:`score` (and :meth:`embed`) for every batch of the pool, then
    :meth:`pick` where it is overridden, then :meth:`notes`.

    Attributes:
        needs: Subset of ``'features'``, ``'flagged'``, ``'error_probability'`` and
            ``'refinement'``, see :class:`PoolOutputs`.
        taps: Module paths of the features, see ``FeatureTap``; those of the refinement where there
            are none.
        mean_of: What is averaged over the scales and flips of the pass, ``'probs'`` or
            ``'logits'``.
        scales: Scales of the pass where its options name none.
        passes: Number of passes with dropout (``PoolOutputs.passes``); 0 for none.
        networks: Names of the networks of a committee (``PoolOutputs.committee``), an empty tuple
            for all of the model's networks, ``None`` for no committee.
        in_pool_order: Whether an image is asked as far as the budget goes before the next one.
        ranks: Whether the scores are turns that the cells of an image take, so that their mean
            means nothing.
    """

    needs: tuple[str, ...] = ()
    taps: tuple[str, ...] = ()
    mean_of = 'probs'
    scales: tuple[float, ...] = (1.0,)
    passes = 0
    networks: tuple[str, ...] | None = None
    in_pool_order = False
    ranks = False

    def check(self, model: nn.Module) -> None:
        """Raises ``UserError`` if the model lacks what the strategy needs."""
        return None

    def begin(self, context: QueryContext) -> None:
        """Prepares the strategy before a pass; every rank calls it."""
        return None

    @abstractmethod
    def score(self, outputs: PoolOutputs) -> Tensor:
        """``(N, h, w)`` float, higher = ask first, ``-inf`` = never ask."""

    def embed(self, outputs: PoolOutputs) -> Tensor | None:
        """``(N, D)`` embeddings of the images or ``(N, D, h, w)`` of their cells."""
        return None

    def pick(self, candidates: JointCandidates) -> np.ndarray:
        """Chooses jointly instead of best first; see :class:`JointCandidates` and ``k_center``.

        Returns:
            np.ndarray: Records of the chosen units of all ranks, the same on every rank.
        """
        raise NotImplementedError

    def notes(self) -> dict[str, int | float]:
        """Figures of this pass on this rank, for the log and the report; summed over ranks."""
        return {}

    @property
    def picks(self) -> bool:
        """Whether the strategy chooses jointly."""
        return type(self).pick is not QueryStrategy.pick

    @property
    def embeds(self) -> bool:
        """Whether the strategy has embeddings."""
        return type(self).embed is not QueryStrategy.embed


def check_threshold(name: str, threshold: float) -> float:
    """Raises ``UserError`` that names the key if a confidence lies outside (0, 1)."""
    if not 0 < threshold < 1:
        raise UserError(f'{name}={threshold} must lie in (0, 1): the paper takes 0.7')
    return threshold
