"""Random numbers that depend on a key alone, not on the process or on earlier draws."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np


def hashed(*parts: int | np.ndarray) -> np.ndarray:
    """Hashes whole numbers to 64 random bits (finaliser of SplitMix64, Steele et al. 2014).

    Args:
        *parts: Non-negative numbers, or arrays of them that broadcast; their order matters.

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
    """Seed of the draws of a round; no two rounds of runs with other seeds share it.

    Args:
        seed: Seed of the run.
        number: Number of the round, r; the manifest of its request holds ``seed + r``.
    """
    return int(hashed(seed + number, number)[0] >> np.uint64(1))


@contextlib.contextmanager
def seeded(*key: int) -> Iterator[np.random.Generator]:
    """Seeds the global generators of numpy and Python within a context, then restores them.

    MMCV's transforms draw from them. A sample then depends on its key alone: neither on the worker
    that loads it nor on what that worker has loaded before.

    Args:
        *key: Non-negative numbers.

    Yields:
        np.random.Generator: Generator with the same seed.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()
    sequence = np.random.SeedSequence(key)
    np.random.seed(sequence.generate_state(4))
    random.seed(int(sequence.generate_state(1)[0]))
    try:
        yield np.random.default_rng(sequence)
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
