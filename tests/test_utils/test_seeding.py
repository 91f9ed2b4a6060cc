"""Random numbers without a state."""

import numpy as np

from mmseg_tsf.utils.seeding import draw_seed, hashed


def test_the_order_of_the_parts_counts():
    assert hashed(1, 2) != hashed(2, 1)
    assert np.array_equal(hashed(3, np.arange(4))[2:], hashed(3, np.arange(2, 4)))


def test_no_two_rounds_of_any_runs_draw_alike():
    """Not even those whose requests name one seed, as round 1 of run 0 and round 0 of run 1."""
    seeds = {draw_seed(seed, number) for seed in range(40) for number in range(40)}
    assert len(seeds) == 1600
    assert all(0 <= seed < 1 << 63 for seed in seeds)
