"""Base of the selectors, and the units that they make of an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ....utils.errors import UserError
from ....utils.options import check_count
from ...pool.outputs import ScoredImage, Scorer
from ...pool.pool import PoolImage
from ..clicks import count_clicks


class Candidates(NamedTuple):
    """M units of one image that may be asked; ``(M,)`` each.

    Attributes:
        units: uint32 numbers of the units, see :meth:`Selector.mask`.
        scores: float16.
        pixels: uint32 native pixels that asking costs, at least 1.
        groups: uint8 predicted classes, 0 where classes are not balanced.
    """

    units: np.ndarray
    scores: np.ndarray
    pixels: np.ndarray
    groups: np.ndarray


class Selector(ABC):
    """Turns the scores of cells into units that a person is asked about.

    Args:
        class_balanced: Whether the budget is shared equally among the predicted classes; what a
            class cannot use goes to the others.
        max_per_image: Most units of one image in a round, in which the classes take turns where
            they are balanced; ``None`` for no limit.

    Attributes:
        budgets: Units in which a budget may be given.
        can_trim: Whether a part of a unit may be asked, so that a budget of pixels is met exactly.
        whole_images: Whether the units are whole images.
    """

    budgets: tuple[str, ...] = ('pixels', 'regions', 'clicks')
    can_trim = False
    whole_images = False

    def __init__(self, class_balanced: bool = False, max_per_image: int | None = None) -> None:
        self.class_balanced, self.max_per_image = class_balanced, max_per_image
        if max_per_image is not None:
            check_count(f'{type(self).__name__}.max_per_image', max_per_image)

    def check_unit(self, unit: str) -> None:
        """Raises ``UserError`` if a budget in this unit means nothing here."""
        if unit not in self.budgets:
            raise UserError(
                f'unit={unit!r} is no unit of a {type(self).__name__}: give the budget in '
                f'{" or ".join(self.budgets)}, or take another selector'
            )

    def check_strategy(self, strategy: Scorer) -> None:
        """Raises ``UserError`` if the scores of a strategy mean nothing here."""
        return None

    def prepare(self, image: PoolImage) -> np.ndarray | None:
        """Slow work on the image alone, such as superpixels; runs in the loader's workers."""
        return None

    @abstractmethod
    def candidates(self, scored: ScoredImage) -> Candidates:
        """All units of an image that may be asked, in any order."""

    def thin(self, scored: ScoredImage, candidates: Candidates, order: np.ndarray) -> np.ndarray:
        """Leaves out units that are too close to better ones, and those above the limit per image.

        Args:
            scored: The image.
            candidates: Its M units.
            order: Positions in ``candidates``, best first.

        Returns:
            np.ndarray: Those of ``order`` that stay, in its order.
        """
        if not self.class_balanced or self.max_per_image is None:
            return order[: self.max_per_image]
        return order[first_in_turns(candidates.groups[order], self.max_per_image)]

    def clicks(self, scored: ScoredImage, units: np.ndarray) -> np.ndarray:
        """Estimated clicks that each of some units costs on its own, see ``count_clicks``.

        Args:
            scored: The image.
            units: ``(M,)``, of its candidates.

        Returns:
            np.ndarray: ``(M,)`` uint32, at least 1.
        """
        masks = (self.mask(unit[None], scored.image) for unit in units)
        return np.fromiter(map(count_clicks, masks), np.uint32, len(units))

    def embeddings(self, scored: ScoredImage, units: np.ndarray) -> np.ndarray | None:
        """Embeddings of some units: the image's, or the mean over the cells of each unit.

        Args:
            scored: The image, with an embedding of itself or of its cells.
            units: ``(M,)``, of its candidates.

        Returns:
            np.ndarray | None: ``(M, D)``; ``None`` where the strategy does not embed.
        """
        whole = scored.embedding
        if whole is None or whole.ndim == 1:
            return whole if whole is None else np.repeat(whole[None], len(units), axis=0)
        return self._unit_means(scored, units)

    def _unit_means(self, scored: ScoredImage, units: np.ndarray) -> np.ndarray:
        """``(M, D)`` means of the embeddings of the cells of each unit."""
        found = np.empty((len(units), len(scored.embedding)), np.float32)
        height, width = scored.image.size
        rows, columns = scored.rows.clip(max=height - 1), scored.columns.clip(max=width - 1)
        for i, unit in enumerate(units):
            mask = self.mask(unit[None], scored.image)
            cells = mask[np.ix_(rows, columns)]
            if not cells.any():  # smaller than a cell: the cell in which it lies
                row, column = (own.mean() for own in mask.nonzero())
                cells[np.abs(rows - row).argmin(), np.abs(columns - column).argmin()] = True
            found[i] = scored.embedding[:, cells].mean(axis=1)
        return found

    @abstractmethod
    def mask(
        self, units: np.ndarray, image: PoolImage, limits: Mapping[int, int] | None = None
    ) -> np.ndarray:
        """The request for an image.

        Args:
            units: Chosen units.
            image: The image.
            limits: Largest number of pixels to ask of a unit, its first ones; no limit by default.

        Returns:
            np.ndarray: ``(H, W)`` bool, without pixels that were asked or labelled before.
        """


def first_in_turns(groups: np.ndarray, most: int) -> np.ndarray:
    """Which members of a list are taken if their groups take turns.

    Args:
        groups: ``(M,)`` groups of the members, best first.
        most: Number of members to take.

    Returns:
        np.ndarray: Their positions in the list, rising.
    """
    order = groups.argsort(kind='stable')
    own = groups[order]
    turn = np.empty(len(groups), np.int64)
    turn[order] = np.arange(len(own)) - np.searchsorted(own, own)
    return np.sort(turn.argsort(kind='stable')[:most])
