"""Numbers and points of shapes: values, or :class:`BrokenShape`."""

from __future__ import annotations

import math
import reprlib

import numpy as np

from ....utils.errors import UserError

LARGEST = 1 << 53
"""Largest whole number up to which floats hold all of them."""
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 60
_BRIEF.maxlevel = 2


class BrokenShape(UserError):
    """One shape of an export cannot be read; the others can."""


def brief(value: object) -> str:
    """A value of an export in printable characters, as many as a long path has, for a message."""
    text = value if isinstance(value, str) else _BRIEF.repr(value)
    if len(text) > 200:
        text = f'{text[:120]}...{text[-75:]}'
    return ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def number(value: object) -> float:
    """A finite number, also one that is written as text.

    Raises:
        BrokenShape: The value is anything else.
    """
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            found = float(value)
            if math.isfinite(found):
                return found
    except (ValueError, OverflowError):
        pass
    raise BrokenShape(f'{brief(value)} is not a number')


def whole(value: object) -> int:
    """A whole number, such as 640, 640.0 or ``'640'``, that a float holds exactly.

    Raises:
        BrokenShape: The value is anything else.
    """
    found = number(value)
    if found != int(found) or abs(found) > LARGEST:
        raise BrokenShape(f'{brief(value)} is not a whole number')
    return int(found)


def points(values: object, size: tuple[int, int]) -> np.ndarray:
    """``(N, 2)`` float columns and rows of points on or near an image.

    Tools let people draw over the border of an image, but not farther than the image is wide or
    high: such a coordinate is damaged.

    Args:
        values: Pairs of a column and a row in pixels, or a flat list of both in turn.
        size: Height and width of the image.

    Raises:
        BrokenShape: A coordinate is not a number or far from the image.
    """
    try:
        found = np.array(values, float)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise BrokenShape('a coordinate is not a number') from None
    if found.size == 0:
        return np.zeros((0, 2))
    if found.ndim > 2 or (found.ndim == 2 and found.shape[1] != 2) or found.size % 2:
        raise BrokenShape('the coordinates are not pairs')
    if not np.isfinite(found).all():
        raise BrokenShape('a coordinate is not a number')
    found = found.reshape(-1, 2)
    sides = np.array(size[::-1])
    if (found < -sides).any() or (found > 2 * sides).any():
        raise BrokenShape('a coordinate lies far from the image')
    return found
