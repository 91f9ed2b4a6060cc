"""Shares of the foreground classes, against plain loops."""

from collections import Counter

import numpy as np
import pytest
import torch
from helpers import NUM_CLASSES, build_model
from query_runs import make_context, make_model, make_pool

from mmseg_tsf.active_learning.pool.outputs import PoolOutputs
from mmseg_tsf.active_learning.pool.pool_pass import score_pool
from mmseg_tsf.active_learning.selection.candidates import RECORD
from mmseg_tsf.active_learning.selection.joint import JointCandidates
from mmseg_tsf.active_learning.selection.selection import select
from mmseg_tsf.active_learning.selection.selectors import GridSelector
from mmseg_tsf.active_learning.strategies.foreground import ClaSPQuery, ForegroundRandomQuery
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.seeding import hashed


def made_up(embeddings, budget: int) -> JointCandidates:
    candidates = JointCandidates(budget)
    records = np.zeros(len(embeddings), RECORD)
    records['index'], records['unit'] = np.divmod(np.arange(len(embeddings)), 7)
    records['cost'] = 1
    candidates.add(records, np.asarray(embeddings, np.float32))
    return candidates


def pick(query, embeddings, budget: int, seed: int = 0, **context) -> list[int]:
    query.begin(make_context(None, None, seed, **context))
    with made_up(embeddings, budget) as candidates:
        chosen = query.pick(candidates)
    return [int(r['index']) * 7 + int(r['unit']) for r in chosen]


def test_random_foreground_is_shared_evenly():
    rng = np.random.default_rng(0)
    classes = rng.choice(4, 700, p=[0.9, 0.07, 0.02, 0.01])
    embeddings = np.stack([classes == 1, classes == 2, classes == 3, classes > 0], axis=1)
    few = int((classes == 3).sum())
    chosen = pick(ForegroundRandomQuery(), embeddings, 3 * few)
    assert Counter(classes[chosen]) == {1: few, 2: few, 3: few} and len(set(chosen)) == 3 * few
    assert pick(ForegroundRandomQuery(), embeddings, 3 * few) == chosen
    assert pick(ForegroundRandomQuery(), embeddings, 3 * few, seed=1) != chosen
    # a class leaves to the others what it cannot use, and background comes last
    foreground = int((classes > 0).sum())
    chosen = pick(ForegroundRandomQuery(), embeddings, foreground + 5)
    assert (classes[chosen[:foreground]] > 0).all() and (classes[chosen[foreground:]] == 0).all()
    assert sorted(pick(ForegroundRandomQuery(), embeddings, 700)) == list(range(700))


def test_every_unit_of_a_class_is_as_likely():
    embeddings = np.stack([np.arange(20) < 10] * 2, axis=1)
    seen = Counter()
    for seed in range(600):
        seen.update(pick(ForegroundRandomQuery(), embeddings, 2, seed=seed))
    assert set(seen) == set(range(10))
    assert max(abs(n / 1200 - 0.1) for n in seen.values()) < 0.03


def test_clasp_splits_two_thirds_evenly_and_the_rest_by_entropy():
    rng = np.random.default_rng(1)
    embeddings = np.exp(rng.normal(size=(500, 4))).astype(np.float16).astype(np.float64)
    query = ClaSPQuery()
    query.begin(make_context(None, None, number=4, rounds=5))
    assert query.beta == pytest.approx(100)
    query.beta = 1e9  # no noise
    with made_up(embeddings, 18) as candidates:
        found = [int(r['index']) * 7 + int(r['unit']) for r in query.pick(candidates)]
    expected = []
    for column in (*hashed(0, np.arange(3)).argsort().tolist(), 3):
        order = [i for i in np.argsort(-embeddings[:, column]).tolist() if i not in expected]
        expected += order[: 4 if column < 3 else 6]
    assert found == expected


def test_noise_of_clasp_draws_with_probability_by_score():
    # Gumbel noise of scale 1 on logarithms: the first unit is drawn in proportion to its value
    values, seen = np.array([0.1, 0.2, 0.3, 0.4]), Counter()
    embeddings = np.stack([values, values], axis=1)
    query = ClaSPQuery()
    for seed in range(1500):
        seen[pick(query, embeddings, 1, seed=seed, number=0, rounds=5)[0]] += 1
    assert query.beta == 1
    found = np.array([seen[i] / 1500 for i in range(4)])
    np.testing.assert_allclose(found, values, atol=0.04)


def test_maps_by_hand():
    logits = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    outputs = PoolOutputs(logits, torch.arange(2))
    probs = logits.double().softmax(dim=1)
    entropy = -(probs * probs.log()).sum(dim=1)
    found = ClaSPQuery(background=[0, 2]).embed(outputs)
    expected = torch.stack([entropy * probs[:, 1], entropy * probs[:, 3], entropy], dim=1)
    torch.testing.assert_close(found, expected.float())
    seen = ForegroundRandomQuery(background=[0, 2]).embed(outputs)
    expected = torch.stack([logits.argmax(1) == 1, logits.argmax(1) == 3], dim=1).float()
    assert torch.equal(seen[:, :2], expected) and torch.equal(seen[:, 2], expected.amax(1))


def test_regions_with_foreground_are_asked(data_root):
    model, pool = make_model(), make_pool(data_root)
    query, selector = ForegroundRandomQuery(background=[1]), GridSelector(8)
    query.begin(make_context(model, pool))
    seen = {}
    for scored in score_pool(model, pool, query):
        shown = scored.scores[:20, :24].reshape(5, 4, 6, 4)  # regions of 4x4 cells
        seen[scored.image.index] = (shown == 0).any(axis=(1, 3)).ravel()
    number = min(9, sum(int(own.sum()) for own in seen.values()))
    choices = select(model, pool, query, selector, number, 'regions')
    assert number > 3 and sum(len(choice.units) for choice in choices) == number
    assert all(seen[choice.index][choice.units].all() for choice in choices)


@pytest.mark.parametrize('query', [ClaSPQuery, ForegroundRandomQuery])
def test_a_background_that_is_no_class_is_refused(query):
    model = build_model('supervised')
    for background in ([NUM_CLASSES], list(range(NUM_CLASSES))):
        with pytest.raises(
            UserError, match=rf'{query.__name__}.background=.*there are 4 classes \(0 to 3\)'
        ):
            query(background).check(model)
    query([]).check(model)
