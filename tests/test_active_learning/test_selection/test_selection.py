"""The cut through the whole pool: exact, and the same whatever the circumstances."""

import numpy as np
import pytest
import torch
from query_jobs import CUTS, queries, work
from query_runs import STRATEGIES, make_model, make_pool, plain, random_images, scored_image

from mmseg_tsf.active_learning.selection import candidates as candidate_file
from mmseg_tsf.active_learning.selection.candidates import (
    RECORD,
    CandidateFile,
    share_budget,
    sort_keys,
)
from mmseg_tsf.active_learning.selection.clicks import count_clicks
from mmseg_tsf.active_learning.selection.selection import choose, select
from mmseg_tsf.active_learning.selection.selectors.base import Selector
from mmseg_tsf.active_learning.selection.selectors.images import ImageSelector
from mmseg_tsf.active_learning.selection.selectors.pixels import PixelSelector
from mmseg_tsf.active_learning.selection.selectors.regions import GridSelector, SuperpixelSelector
from mmseg_tsf.active_learning.strategies.uncertainty import EntropyQuery
from mmseg_tsf.utils.errors import UserError


@pytest.fixture(scope='module')
def ranks(data_root, tmp_path_factory) -> list[dict]:
    """Requests that either of two ranks came to."""
    out = tmp_path_factory.mktemp('ranks')
    torch.multiprocessing.spawn(work, (str(data_root), str(out)), nprocs=2)
    return [torch.load(out / f'rank{rank}.pt', weights_only=False) for rank in range(2)]


@pytest.fixture(scope='module')
def alone(data_root) -> dict:
    """Requests of one process, which keeps all candidates in reach."""
    chunk = candidate_file.CHUNK
    found = queries(str(data_root))
    candidate_file.CHUNK = chunk
    return found


@pytest.mark.parametrize('name', [*STRATEGIES, *(f'cut_{name}' for name in CUTS)])
def test_two_ranks_ask_what_one_asks(ranks, alone, name):
    assert ranks[0][name] == alone[name]
    assert ranks[1][name] == alone[name]
    assert alone[name]


@pytest.mark.parametrize('name', CUTS)
def test_dropping_candidates_changes_nothing(name, monkeypatch, alone):
    monkeypatch.setattr(candidate_file, 'CHUNK', 1 << 20)
    selector, options = CUTS[name]
    assert plain(choose(random_images(41), selector, seed=5, **options)) == alone[f'cut_{name}']


def by_hand(images, selector, budget, seed, in_pool_order=False) -> dict[tuple[int, int], int]:
    """Pixels of every chosen unit, by one sort of all candidates."""
    records = []
    for image in images:
        candidates = selector.candidates(image)
        keys = sort_keys(candidates.scores, image.image.index, candidates.units, seed)
        order = selector.thin(image, candidates, np.argsort(keys)[::-1])
        for place in order:
            first = -image.image.index if in_pool_order else 0
            unit = int(candidates.units[place])
            cost = int(candidates.pixels[place])
            records.append((first, int(keys[place]), image.image.index, unit, cost))
    chosen = {}
    for _, _, index, unit, cost in sorted(records, reverse=True):
        if budget and (selector.can_trim or cost <= budget):
            chosen[index, unit] = min(cost, budget)
            budget -= chosen[index, unit]
        else:
            break
    return chosen


@pytest.mark.parametrize('in_pool_order', [False, True])
@pytest.mark.parametrize('budget', [1, 5, 77, 100000])
@pytest.mark.parametrize('block', [1, 3])
def test_the_best_of_the_pool_are_chosen(monkeypatch, in_pool_order, budget, block):
    monkeypatch.setattr(candidate_file, 'CHUNK', 16)
    selector, images = PixelSelector(block=block), random_images(40)
    choices = choose(images, selector, budget, seed=3, in_pool_order=in_pool_order)
    expected = by_hand(images, selector, budget, 3, in_pool_order)
    found = {(c.index, int(unit)) for c in choices for unit in c.units}
    assert found == set(expected)
    assert [c.index for c in choices] == sorted({index for index, _ in expected})
    for index, units, limits, cost in choices:
        pixels = int(selector.mask(units, images[index].image, limits).sum())
        assert pixels == cost == sum(cost for (i, _), cost in expected.items() if i == index)


def test_a_budget_of_pixels_is_met_inside_a_block():
    choices = choose([scored_image([[3, 2, 1]])], PixelSelector(suppression=0, block=4), 20)
    (choice,) = choices
    assert choice.units.tolist() == [2 * 12 + 2, 2 * 12 + 6]
    assert choice.limits == {2 * 12 + 6: 4} and choice.cost == 20
    choices = choose([scored_image([[3, 2, 1]])], PixelSelector(suppression=0, block=4), 32)
    assert choices[0].limits == {}


def test_whole_regions_and_images_never_exceed_a_budget_of_pixels():
    images = random_images(6)  # 24x20 pixels each
    for selector, size in ((GridSelector(8), 64), (ImageSelector(), 480)):
        budget = 3 * 480 - 1
        chosen = by_hand(images, selector, budget, 0)
        choices = choose(images, selector, budget)
        assert {(c.index, int(u)) for c in choices for u in c.units} == set(chosen)
        assert budget - size < sum(chosen.values()) <= budget
        assert all(choice.limits == {} for choice in choices)


@pytest.mark.parametrize(
    ('selector', 'unit', 'pixels'),
    [(PixelSelector(block=3), 'regions', 63), (ImageSelector(), 'images', 7 * 480)],
)
def test_a_budget_of_units_counts_units(selector, unit, pixels):
    images = random_images(20)
    choices = choose(images, selector, 7, unit)
    assert sum(len(choice.units) for choice in choices) == 7
    masks = [selector.mask(c.units, images[c.index].image, c.limits) for c in choices]
    assert pixels - 7 * 5 < sum(int(mask.sum()) for mask in masks) <= pixels  # cut at the edges


def test_a_balanced_budget_is_shared_among_the_classes():
    images, selector = random_images(30), PixelSelector(suppression=0, class_balanced=True)
    choices = choose(images, selector, 61)
    counts = dict.fromkeys((0, 1, 4), 0)
    for index, units, *_ in choices:
        row, column = np.divmod(units.astype(int), 20)
        for label in images[index].classes[row // 4, column // 4]:
            counts[int(label)] += 1
    assert counts == {0: 21, 1: 20, 4: 20}


def test_a_cap_per_image_lets_the_classes_take_turns():
    classes = np.repeat([[0], [3]], 6, axis=1).astype(np.uint8)
    scores = np.stack((np.full(6, 2.0), np.full(6, 1.0)))  # class 0 is wanted more
    images = [scored_image(scores, i, classes=classes) for i in range(5)]
    for cap in (None, 4):
        selector = PixelSelector(suppression=0, class_balanced=True, max_per_image=cap)
        choices = choose(images, selector, 20)
        rows = np.concatenate([choice.units.astype(int) // 24 // 4 for choice in choices])
        assert np.bincount(rows).tolist() == [10, 10]
        assert cap is None or all(len(choice.units) == 4 for choice in choices)


def test_two_blocks_of_one_image_are_each_asked_in_part():
    classes = np.asarray([[0, 0, 1, 1]], np.uint8)
    scored = scored_image([[4, 3, 2, 1]], classes=classes)
    selector = PixelSelector(suppression=0, block=4, class_balanced=True)
    (choice,) = choose([scored], selector, 45)  # 23 and 22 pixels: a block and a part of each
    mask = selector.mask(choice.units, scored.image, choice.limits)
    assert sorted(choice.limits.values()) == [6, 7] and choice.cost == 45
    assert (int(mask[:, :8].sum()), int(mask[:, 8:].sum())) == (23, 22)


def test_shares_of_a_budget():
    assert share_budget(np.asarray([10, 0, 10, 10]), 9) == [3, 0, 3, 3]
    assert share_budget(np.asarray([10, 10, 10]), 10) == [4, 3, 3]
    assert share_budget(np.asarray([100, 1, 0, 3]), 20) == [16, 1, 0, 3]
    assert share_budget(np.asarray([1, 2]), 20) == [1, 2]
    # what lies beyond the budget may have been dropped by one rank and not by another
    assert share_budget(np.asarray([30, 20, 10]), 10) == share_budget(np.asarray([10, 20, 30]), 10)


def test_sort_keys_order_like_the_scores():
    scores = np.asarray([-np.inf, -65504, -1, -6e-8, -0.0, 0.0, 6e-8, 0.5, 1, 65504], np.float16)
    keys = sort_keys(scores, 3, np.arange(10), 0) >> np.uint64(48)
    assert (np.diff(keys.astype(int)) > 0).tolist() == [True] * 4 + [False] + [True] * 4
    assert keys[4] == keys[5]
    first = sort_keys(np.float16([1, 2]), 3, np.arange(2), 0, in_pool_order=True)
    second = sort_keys(np.float16([5, 9]), 4, np.arange(2), 0, in_pool_order=True)
    assert second.max() < first[0] < first[1]


def test_equal_keys_are_cut_by_image_and_unit():
    records = np.zeros(9, RECORD)
    records['key'], records['unit'], records['cost'] = 7, np.arange(9), 2
    with CandidateFile(100) as own:
        own.add(records)
        cut = own.cut(0, 5)
        assert (cut.key, cut.spent) == (7, 0)
        assert own.cut(0, 18).key is None


def test_the_file_holds_what_the_budget_can_reach(monkeypatch):
    monkeypatch.setattr(candidate_file, 'CHUNK', 16)
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 1 << 62, 5000).astype(np.uint64)
    with CandidateFile(50) as own:
        for part in np.split(keys, 100):
            records = np.zeros(50, RECORD)
            records['key'], records['cost'] = part, 1
            own.add(records)
        assert len(own) <= 4 * 50 + 5 * 16
        kept = np.concatenate(list(own.chunks()))['key']
    best = np.sort(keys)[::-1][:50]
    assert set(best.tolist()) <= set(kept.tolist())


class Plain(GridSelector):
    """A selector that leaves clicks to the base class."""

    clicks = Selector.clicks


@pytest.mark.parametrize(
    'selector',
    [PixelSelector(), PixelSelector(block=3), Plain(8), GridSelector(8), SuperpixelSelector(8)],
)
def test_a_budget_of_clicks_is_kept(selector, data_root):
    pool = make_pool(data_root)
    model = make_model()
    sums, counts = [], []
    for budget in (40, 60):
        choices = select(model, pool, EntropyQuery(), selector, budget, 'clicks')
        alone = [
            count_clicks(selector.mask(unit[None], pool.image(choice.index)))
            for choice in choices
            for unit in choice.units
        ]
        assert budget - 2 * max(alone) < sum(alone) <= budget
        assert sum(alone) == sum(choice.cost for choice in choices)  # what is charged
        sums.append(sum(alone))
        counts.append(len(alone))
    assert sums[0] < sums[1]
    if getattr(selector, 'block', 0) == 1:
        assert counts == [40, 60]


def test_an_empty_pool_of_candidates_asks_nothing():
    assert choose([scored_image(np.full((2, 2), -np.inf))], PixelSelector(), 5) == []
    assert choose([], PixelSelector(), 5) == []


@pytest.mark.parametrize(
    ('selector', 'budget', 'unit', 'message'),
    [
        (PixelSelector(), 5, 'images', "unit='images' is no unit of a PixelSelector"),
        (ImageSelector(), 5, 'clicks', 'give the budget in images or pixels'),
        (PixelSelector(), 0, 'pixels', 'budget=0 must be a whole number of pixels above 0'),
        (PixelSelector(), 0.5, 'pixels', 'budget=0.5 must be a whole number'),
    ],
)
def test_wrong_budgets_are_refused(selector, budget, unit, message):
    with pytest.raises(UserError, match=message):
        choose([], selector, budget, unit)
