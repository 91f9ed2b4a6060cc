"""Units that the page asks one after the other, and their compact encoding."""

from __future__ import annotations

import base64
import zlib

import cv2
import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ..annotation_plan import AnnotationPlan, reading_order

SMALL = 512
"""Longest side of the copy of an image on which superpixels are computed, in pixels."""
SUPERPIXEL = 24
"""About the side of a superpixel on that copy."""


def number_units(plan: AnnotationPlan, pixels: np.ndarray, belief: np.ndarray | None) -> np.ndarray:
    """Number of the unit of each pixel, in the order in which the page asks them.

    A unit is a region of the plan, or the single pixels of one superpixel for which the network
    predicts the same class: one answer can serve them all.

    Args:
        plan: Regions and single pixels of the image.
        pixels: ``(H, W, 3)`` uint8 image.
        belief: ``(H, W)`` uint8 predicted class ids, or ``None``.

    Returns:
        ``(H, W)`` int32, counted from 1; 0 for pixels that are not shown.
    """
    units = plan.numbers.copy()
    if len(plan.points):
        columns, rows = plan.points.T
        units[rows, columns] = plan.num_regions + 1 + _groups(plan.points, pixels, belief)
    num = int(units.max())
    flat = units.ravel()
    sizes = np.bincount(flat, minlength=num + 1)[1:]
    where = np.flatnonzero(flat)
    row, column = np.divmod(where, units.shape[1])
    own = flat[where] - 1
    centres = np.stack([np.bincount(own, part, num) / sizes for part in (row, column)], 1)
    numbers = np.zeros(num + 1, np.int32)
    numbers[1 + reading_order(centres, units.shape[0])] = np.arange(1, num + 1)
    return numbers[units]


def encode_units(units: np.ndarray, belief: np.ndarray | None) -> str:
    """Text from which the page restores the units of an image and what the network believes.

    The text is base64 of zlib of int32, the lowest bytes of all first: the numbers of units, runs
    and belief runs; the number of runs of each unit; differences of the row, first column and
    length of each run, ordered by unit and place; the number of belief runs of each unit; and the
    class ids and lengths of belief runs, which go through the pixels of a unit in the order of its
    runs.

    Args:
        units: ``(H, W)`` int32 numbers of units, see :func:`number_units`.
        belief: ``(H, W)`` uint8 predicted class ids, 255 where there is none, or ``None``.
    """
    number, row, column, length = _runs(units)
    num = int(units.max())
    first = row * units.shape[1] + column
    place = np.repeat(first - (length.cumsum() - length), length) + np.arange(length.sum())
    own = np.repeat(number, length)
    values = np.full(len(place), IGNORE_INDEX) if belief is None else belief.ravel()[place]
    begin = _changes(own, values)
    parts = (
        [num, len(number), len(begin)],
        np.bincount(number - 1, minlength=num),
        *(np.diff(part, prepend=0) for part in (row, column, length)),
        np.bincount(own[begin] - 1, minlength=num),
        values[begin],
        np.diff(begin, append=len(place)),
    )
    content = np.concatenate(parts).astype('<i4')
    planes = content.view(np.uint8).reshape(-1, 4).T  # nearly all but the first hold one value
    return base64.b64encode(zlib.compress(planes.tobytes())).decode()


def _runs(units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Unit, row, first column and length of each run of equal pixels, by unit and place."""
    flat = units.ravel()
    row_ids = np.repeat(np.arange(units.shape[0], dtype=np.int32), units.shape[1])
    begin = _changes(flat, row_ids)
    length = np.diff(begin, append=flat.size)
    number = flat[begin]
    order = np.argsort(number, kind='stable')
    order = order[number[order] > 0]
    row, column = np.divmod(begin[order], units.shape[1])
    return number[order], row, column, length[order]


def _changes(*columns: np.ndarray) -> np.ndarray:
    """Positions at which at least one of several ``(N,)`` arrays changes, the first included."""
    changed = np.zeros(len(columns[0]), bool)
    changed[:1] = True
    for values in columns:
        changed[1:] |= values[1:] != values[:-1]
    return np.flatnonzero(changed)


def _groups(points: np.ndarray, pixels: np.ndarray, belief: np.ndarray | None) -> np.ndarray:
    """Number from 0 of the group of each of ``(P, 2)`` points (column, row)."""
    if len(points) == 1:
        return np.zeros(1, np.int64)
    from skimage.segmentation import slic  # half a second that requests without points need not

    height, width = pixels.shape[:2]
    scale = min(1.0, SMALL / max(height, width))
    small = [max(1, round(side * scale)) for side in (height, width)]
    copy = cv2.resize(pixels, small[::-1], interpolation=cv2.INTER_AREA)
    found = slic(copy, max(1, small[0] * small[1] // SUPERPIXEL**2), start_label=0)
    columns, rows = points.T
    superpixel = found[rows * small[0] // height, columns * small[1] // width].astype(np.int64)
    values = 0 if belief is None else belief[rows, columns]
    return np.unique(superpixel * 256 + values, return_inverse=True)[1].ravel()
