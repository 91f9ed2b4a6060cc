"""What every strategy promises, whichever it is."""

import numpy as np
import pytest
import torch
from query_runs import (
    BUDGET,
    STRATEGIES,
    FakeLabels,
    make_model,
    make_pool,
    make_query,
    plain,
    request_masks,
    run_query,
)


@pytest.fixture(scope='module')
def model():
    return make_model()


@pytest.fixture(scope='module')
def pool(data_root):
    return make_pool(data_root)


@pytest.mark.parametrize('strategy', STRATEGIES)
class TestEveryStrategy:
    def test_the_budget_is_met_exactly(self, model, pool, strategy):
        for block, budget in ((1, BUDGET), (3, 100)):
            selector = dict(type='PixelSelector', block=block)
            choices = run_query(model, pool, strategy, budget, selector=selector)
            masks = request_masks(pool, choices, selector)
            spent = sum(int(mask.sum()) for mask in masks.values())
            # a joint choice asks no block in part
            picks = make_query(strategy, model, pool).picks
            assert budget - picks * (block**2 - 1) <= spent <= budget
            assert all(mask.shape == (40, 48) and mask.any() for mask in masks.values())

    def test_nothing_is_asked_twice(self, model, data_root, strategy):
        labels = FakeLabels()
        pool = make_pool(data_root, labels)
        # labelled by somebody who was never asked
        labels.labels[pool.image_id(0)] = np.zeros((40, 48), np.uint8)
        for _ in range(3):
            masks = request_masks(pool, run_query(model, pool, strategy))
            assert 0 not in masks
            assert sum(int(mask.sum()) for mask in masks.values()) == BUDGET
            for index, mask in masks.items():
                before = labels.asked(pool.image_id(index))
                assert before is None or not (mask & before).any()
            labels.answer(pool, masks)

    def test_the_same_seed_asks_the_same(self, model, pool, strategy):
        first, again = (plain(run_query(model, pool, strategy, seed=3)) for _ in range(2))
        assert first == again
        if strategy == 'random':
            assert plain(run_query(model, pool, strategy, seed=4)) != first

    def test_batch_size_and_workers_do_not_matter(self, model, pool, strategy):
        expected = plain(run_query(model, pool, strategy))
        assert plain(run_query(model, pool, strategy, batch_size=3)) == expected
        assert plain(run_query(model, pool, strategy, batch_size=2, num_workers=2)) == expected

    def test_scores_say_what_must_not_be_asked_by_minus_infinity(self, model, pool, strategy):
        from mmseg_tsf.active_learning.pool.grid_forward import GridForward

        query = make_query(strategy, model, pool)
        images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        nothing = lambda grid: torch.full((2, *grid), 255)  # noqa: E731
        valid = torch.ones(2, 32, 32, dtype=torch.bool)
        outputs = GridForward(model, query)(images, torch.arange(2), 0, nothing, valid)
        scores = query.score(outputs)
        assert scores.shape == (2, 16, 16)
        assert not scores.isnan().any()
        assert not scores.isposinf().any()
