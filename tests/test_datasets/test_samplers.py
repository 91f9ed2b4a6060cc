"""The sampler whose indices carry the epoch."""

import itertools

import pytest

from mmseg_tsf.datasets import SemiInfiniteSampler


class Sized:
    """A data set of seven items without a seed of its own."""

    seed = None

    def __len__(self) -> int:
        return 7


def take(sampler, num: int) -> list[int]:
    return list(itertools.islice(iter(sampler), num))


def test_every_epoch_shows_every_index_once_in_another_order():
    indices = take(SemiInfiniteSampler(Sized(), seed=1), 28)
    epochs = [indices[i : i + 7] for i in range(0, 28, 7)]
    for number, epoch in enumerate(epochs, start=1):
        assert sorted(i - 7 * number for i in epoch) == list(range(7))
    assert len({tuple(i % 7 for i in epoch) for epoch in epochs}) == 4


def test_order_is_the_seeds_and_stays_without_shuffling():
    assert take(SemiInfiniteSampler(Sized(), seed=1), 14) == take(
        SemiInfiniteSampler(Sized(), seed=1), 14
    )
    assert take(SemiInfiniteSampler(Sized(), seed=1), 14) != take(
        SemiInfiniteSampler(Sized(), seed=2), 14
    )
    assert take(SemiInfiniteSampler(Sized(), shuffle=False, seed=1), 9) == list(range(7, 16))


@pytest.mark.parametrize('num', [0, 1, 6, 7, 20])
def test_skip_continues_where_an_uninterrupted_run_would_be(num):
    whole = take(SemiInfiniteSampler(Sized(), seed=1), 40)
    resumed = SemiInfiniteSampler(Sized(), seed=1)
    resumed.skip(num)
    assert take(resumed, 40 - num) == whole[num:]


def test_ranks_part_the_order_and_skip_their_own_indices():
    whole = take(SemiInfiniteSampler(Sized(), seed=1), 20)
    for rank in range(2):
        sampler = SemiInfiniteSampler(Sized(), seed=1)
        sampler.rank, sampler.world_size = rank, 2
        sampler.skip(3)
        assert take(sampler, 7) == whole[rank::2][3:]


def test_data_set_takes_the_seed_unless_it_has_one():
    dataset = Sized()
    SemiInfiniteSampler(dataset, seed=6)
    assert dataset.seed == 6
    SemiInfiniteSampler(dataset, seed=8)
    assert dataset.seed == 6
