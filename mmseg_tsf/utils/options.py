"""Checks of options, each with an error that names the option."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .errors import UserError


def check_share(name: str, value: float) -> float:
    """Refuses a share outside [0, 1).

    Raises:
        UserError: Says which option it is.
    """
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise UserError(f'{name}={value!r} must lie in [0, 1)')
    return value


def check_weight(name: str, value: float) -> float:
    """Refuses what is no number from 0 on.

    Raises:
        UserError: Says which option it is.
    """
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise UserError(f'{name}={value!r} must be a number from 0 on')
    return value


def check_ramp(name: str, shares: tuple[float, float]) -> tuple[float, float]:
    """Begin and end of a ramp as shares of training.

    Raises:
        UserError: Not two shares in order; says which option it is.
    """
    is_pair = isinstance(shares, Sequence) and len(shares) == 2
    if not is_pair or not 0 <= shares[0] <= shares[1] <= 1:
        raise UserError(
            f'{name}={shares} must be (begin, end) with 0 <= begin <= end <= 1; (0, 0) for no ramp'
        )
    return shares[0], shares[1]


def check_classes(option: str, classes: Sequence[int], num_classes: int) -> tuple[int, ...]:
    """Class ids of an option that must leave at least one class.

    Raises:
        UserError: An unknown id, or no class left; names the option.
    """
    unknown = sorted(set(classes) - set(range(num_classes)))
    if unknown or len(set(classes)) == num_classes:
        problem = f'has the unknown ids {unknown}' if unknown else 'leaves no class'
        raise UserError(
            f'{option}={tuple(classes)} {problem}: there are {num_classes} classes '
            f'(0 to {num_classes - 1})'
        )
    return tuple(classes)
