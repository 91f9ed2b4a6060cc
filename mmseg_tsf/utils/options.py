"""Checks of options; every error names the option."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .errors import UserError


def check_share(name: str, value: float) -> float:
    """Checks a share.

    Args:
        name: Name of the option.
        value: Number in [0, 1).

    Raises:
        UserError: The value is not in [0, 1).
    """
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise UserError(f'{name}={value!r} must lie in [0, 1)')
    return value


def check_weight(name: str, value: float) -> float:
    """Checks the weight of a loss.

    Args:
        name: Name of the option.
        value: Finite number of at least 0.

    Raises:
        UserError: The value is negative or not a finite number.
    """
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise UserError(f'{name}={value!r} must be a finite number of at least 0')
    return value


def check_count(name: str, value: int, least: int = 1) -> int:
    """Checks a number of things.

    Args:
        name: Name of the option.
        value: Whole number of at least ``least``.
        least: Smallest number.

    Raises:
        UserError: The value is no whole number, or is too small.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f'{name}={value!r} must be a whole number, at least {least}')
    return value


def check_ramp(name: str, shares: tuple[float, float]) -> tuple[float, float]:
    """Checks begin and end of a ramp.

    Args:
        name: Name of the option.
        shares: Begin and end as shares of the training, in [0, 1].

    Raises:
        UserError: The option is not a pair of shares in ascending order.
    """
    is_pair = isinstance(shares, Sequence) and len(shares) == 2
    if not is_pair or not 0 <= shares[0] <= shares[1] <= 1:
        raise UserError(
            f'{name}={shares} must be (begin, end) with 0 <= begin <= end <= 1; (0, 0) for no ramp'
        )
    return shares[0], shares[1]


def check_classes(option: str, classes: Sequence[int], num_classes: int) -> tuple[int, ...]:
    """Checks class ids that leave at least one other class.

    Args:
        option: Name of the option.
        classes: Class ids.
        num_classes: Number of classes.

    Raises:
        UserError: An id is unknown, or all classes are given.
    """
    unknown = sorted(set(classes) - set(range(num_classes)))
    if unknown or len(set(classes)) == num_classes:
        problem = f'has the unknown ids {unknown}' if unknown else 'leaves no class'
        raise UserError(
            f'{option}={tuple(classes)} {problem}: there are {num_classes} classes '
            f'(0 to {num_classes - 1})'
        )
    return tuple(classes)
