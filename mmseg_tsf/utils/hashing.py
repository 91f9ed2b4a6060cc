"""Random numbers without a state: the same wherever and whenever they are asked for."""

from __future__ import annotations

import numpy as np


def hashed(*parts: int | np.ndarray) -> np.ndarray:
    """64 random bits of some whole numbers, by the finaliser of SplitMix64 (Steele et al. 2014).

    Args:
        *parts: Non-negative numbers, or arrays of them that broadcast; their order counts.

    Returns:
        np.ndarray: uint64, at least one-dimensional.
    """
    state = np.zeros(1, np.uint64)
    for part in parts:
        # arrays wrap around silently, scalars warn
        state = state + np.uint64(0x9E3779B97F4A7C15) + np.asarray(part).astype(np.uint64)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return state


def draw_seed(seed: int, number: int) -> int:
    """Of what round r of a run draws: both count, so that no round draws as another run's does.

    Args:
        seed: Of the run.
        number: Of the round, r; the manifest of its request holds ``seed + r``.
    """
    return int(hashed(seed + number, number)[0] >> np.uint64(1))
