"""The budget: how much may be asked, and what is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ...utils.errors import UserError
from ..pool.pool import Pool
from ..selection.candidates import Choice
from ..selection.clicks import class_counts, count_clicks, count_components
from ..selection.selectors.base import Selector
from ..store.round_store import RoundStore

UNITS = ('pixels', 'regions', 'images', 'clicks')


@dataclass
class Budget:
    """What a campaign may cost, the initial labels included.

    Attributes:
        total: A share (float in (0, 1]) of all pixels or images, labelled and unlabelled, or an
            amount (int).
        per_round: Amount of a round; by default the rest is shared evenly among the remaining
            rounds.
        unit: ``'pixels'`` (of the images' own resolution, void included), ``'regions'``,
            ``'images'`` or ``'clicks'``, an estimate (see ``masks.count_clicks``) that counts the
            units of a round one by one and the initial labels as none.

    Raises:
        UserError: A unit or an amount is wrong; the message names the key.
    """

    total: float
    per_round: float | None = None
    unit: str = 'pixels'

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UserError(f'budget.unit must be one of {", ".join(UNITS)}, not {self.unit!r}')
        for name in ('total', 'per_round'):
            value = getattr(self, name)
            if value is None and name == 'per_round':
                continue
            whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
            if not whole and not (isinstance(value, float) and 0 < value <= 1):
                raise UserError(
                    f'budget.{name}={value!r} must be a share in (0, 1] (a float) or an amount of '
                    f'{self.unit} (an int above 0)'
                )
            if not whole and self.unit in ('regions', 'clicks'):
                raise UserError(
                    f'budget.{name}={value} is a share, but of {self.unit} there is no total to '
                    'take a share of: give an amount (an int)'
                )

    def amount(self, value: float, available: dict[str, int]) -> int:
        """A share as an amount; an amount as it is.

        Args:
            value: ``total`` or ``per_round``.
            available: All there is, by unit.
        """
        return value if isinstance(value, int) else round(value * available[self.unit])

    def left(self, spent: dict[str, int], available: dict[str, int]) -> int:
        """What is left of the total, in units; never below 0."""
        return max(0, self.amount(self.total, available) - spent[self.unit])

    def for_round(self, rounds_left: int, spent: dict, available: dict) -> int:
        """What the next round may cost.

        Args:
            rounds_left: This round included.
            spent: See :func:`spent`.
            available: See :meth:`amount`.
        """
        left = self.left(spent, available)
        if self.per_round is None:
            return -(-left // rounds_left)
        return min(left, self.amount(self.per_round, available))


def spent(store: RoundStore, initial: dict[str, int], before: int | None = None) -> dict[str, int]:
    """What has been paid so far, by unit: the initial labels at full price and every answer.

    A pixel counts once it is asked and its image answered, void included. ``images`` are the
    distinct images touched.

    Args:
        store: The rounds.
        initial: Amount of the initial labels, by unit.
        before: Count the rounds before this one; all by default.
    """
    return add_up(initial, paid_rounds(store, before))


def paid_rounds(
    store: RoundStore, before: int | None = None
) -> list[tuple[dict[str, dict], Iterable[str]]]:
    """Notes of what each round asked, by image, and the images that were answered; see above."""
    return [
        (store.request(number).images, store.answer(number).images)
        for number in store.answered()
        if before is None or number < before
    ]


def add_up(
    initial: dict[str, int], rounds: Iterable[tuple[dict[str, dict], Iterable[str]]]
) -> dict[str, int]:
    """What rounds cost, by unit.

    Args:
        initial: Amount of the initial labels, by unit.
        rounds: See :func:`paid_rounds`.
    """
    total = Counter({unit: initial.get(unit, 0) for unit in UNITS})
    touched = set()
    for notes, answered in rounds:
        for image_id in answered:
            touched.add(image_id)
            for unit in ('pixels', 'regions', 'clicks'):
                total[unit] += notes[image_id][unit]
    total['images'] += len(touched)
    return dict(total)


def request_items(
    pool: Pool, selector: Selector, chosen: Iterable[Choice], unit: str
) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Masks of what is asked, made one at a time.

    Args:
        pool: The images.
        selector: Selector that turns units into masks.
        chosen: Units that are asked of each image.
        unit: Unit of the budget. In clicks, the cost of each unit counts as it was selected;
            elsewhere clicks are an estimate for the whole mask, in which neighbours have grown
            together.

    Yields:
        tuple: Image id, ``(H, W)`` bool mask, and what it counts by unit.
    """
    pool = pool.listed()
    for index, units, limits, cost in chosen:
        image = pool.image(index)
        mask = selector.mask(units, image, limits)
        notes = dict(
            pixels=int(mask.sum()),
            regions=len(units),
            components=count_components(mask),
            clicks=cost if unit == 'clicks' else count_clicks(mask),
        )
        yield image.image_id, mask, notes


def answer_items(
    items: Iterable[tuple[str, np.ndarray, dict]], num_classes: int
) -> Iterator[tuple[str, np.ndarray, dict]]:
    """An oracle's answers with the number of pixels of each class in their notes."""
    for image_id, labels, notes in items:
        yield image_id, labels, dict(notes, classes=class_counts(labels, num_classes))


def amount_asked(notes: dict[str, dict], unit: str) -> int:
    """Amount that a request asks, in a unit.

    Args:
        notes: Notes of its images by id, see :func:`request_items`.
        unit: ``'pixels'``, ``'regions'``, ``'images'`` or ``'clicks'``.
    """
    return len(notes) if unit == 'images' else sum(own[unit] for own in notes.values())
