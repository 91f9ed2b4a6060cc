"""What a request and an answer hold of each image, as the store takes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..pool.pool import Pool
from ..selection.clicks import class_counts, count_clicks, count_components
from ..selection.selection import Choice
from ..selection.selectors.base import Selector


def request_items(
    pool: Pool, selector: Selector, chosen: Iterable[Choice], unit: str
) -> Iterator[tuple[str, np.ndarray, dict]]:
    """Masks of what is asked, made one at a time.

    Args:
        pool: The images.
        selector: Turns units into masks.
        chosen: What is asked of each image.
        unit: Of the budget. One of clicks counts what the selection did, unit by unit; elsewhere
            they are an estimate for the whole mask, in which neighbours have grown together.

    Yields:
        tuple: Image id, ``(H, W)`` bool mask, and what it counts by unit.
    """
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
    """What a request counts in a unit.

    Args:
        notes: Of its images by id, see :func:`request_items`.
        unit: ``'pixels'``, ``'regions'``, ``'images'`` or ``'clicks'``.
    """
    return len(notes) if unit == 'images' else sum(own[unit] for own in notes.values())
