"""Values of the strategies' scores."""

import math

import numpy as np
import pytest
import torch
from helpers import REFINED, build_model, tiny_segmentor
from query_runs import STRATEGIES, FakeLabels, make_model, make_pool, request_masks, run_query

from mmseg_tsf.active_learning.pool.grid_forward import GridForward
from mmseg_tsf.active_learning.pool.outputs import PoolOutputs
from mmseg_tsf.active_learning.selection.selection import select
from mmseg_tsf.active_learning.selection.selectors.images import ImageSelector
from mmseg_tsf.active_learning.selection.selectors.pixels import PixelSelector
from mmseg_tsf.active_learning.strategies.base import QueryStrategy
from mmseg_tsf.active_learning.strategies.plar import PLARQuery
from mmseg_tsf.active_learning.strategies.seed import SeedQuery, ranks_in_turn, spread_order
from mmseg_tsf.active_learning.strategies.uncertainty import (
    ConfidenceQuery,
    EntropyQuery,
    ErrorMaskQuery,
    LeastConfidenceQuery,
    MarginQuery,
    RandomQuery,
)
from mmseg_tsf.utils.errors import UserError

INF = float('inf')


def outputs_of(probs, **more) -> PoolOutputs:
    """Outputs of one image with one row; ``probs`` is a list of distributions."""
    logits = torch.tensor(probs).t().log()[None, :, None]  # (1, K, 1, w)
    return PoolOutputs(logits, torch.tensor([0]), **more)


def test_uncertainties_by_hand():
    outputs = outputs_of([[0.5, 0.5, 0.0], [0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3]])
    outputs.logits.clamp_(min=-50)
    entropy = [-sum(p * math.log(p) for p in row) for row in ([0.5, 0.5], [0.7, 0.2, 0.1])]
    expected = [[entropy[0] / math.log(3), entropy[1] / math.log(3), 1.0]]
    torch.testing.assert_close(EntropyQuery().score(outputs)[0], torch.tensor(expected))
    expected = torch.tensor([[0.0, -0.5, 0.0]])
    torch.testing.assert_close(MarginQuery().score(outputs)[0], expected)
    expected = torch.tensor([[0.5, 0.3, 2 / 3]])
    torch.testing.assert_close(LeastConfidenceQuery().score(outputs)[0], expected)
    assert RandomQuery().score(outputs).tolist() == [[[0, 0, 0]]]


def test_confidence_asks_below_its_threshold_only():
    outputs = outputs_of([[0.6, 0.4], [0.8, 0.2], [0.9, 0.1]])
    score = ConfidenceQuery(0.85).score(outputs)[0, 0]
    torch.testing.assert_close(score, torch.tensor([0.4, 0.2, -INF]))


def test_error_mask_asks_flagged_pixels_the_least_confident_first():
    flagged = torch.tensor([[[True, False, True]]])
    outputs = outputs_of([[0.8, 0.2], [0.6, 0.4], [0.7, 0.3]], flagged=flagged)
    score = ErrorMaskQuery().score(outputs)[0, 0]
    torch.testing.assert_close(score, torch.tensor([0.2, -INF, 0.3]))


def test_error_mask_needs_one(data_root):
    with pytest.raises(UserError, match='this MeanTeacher has none: give model.error_head'):
        run_query(build_model('mt'), make_pool(data_root), 'error_mask')


@pytest.mark.parametrize('query', [ConfidenceQuery, SeedQuery])
@pytest.mark.parametrize('threshold', [0, 1, 1.5])
def test_a_threshold_outside_0_and_1_is_refused(query, threshold):
    with pytest.raises(UserError, match=rf'{query.__name__}.threshold={threshold} must lie'):
        query(threshold)


def test_plar_asks_unresolved_pixels_the_smallest_margin_first():
    margin = torch.tensor([[[0.3, 0.1, 0.0, 0.2]]])
    unresolved = torch.tensor([[[True, True, False, False]]])
    flagged = torch.tensor([[[True, True, True, False]]])
    more = dict(margin=margin, unresolved=unresolved, flagged=flagged)
    outputs = outputs_of([[0.6, 0.4]] * 4, **more)
    expected = torch.tensor([-0.3, -0.1, -1.0, -INF])  # then what was decided on a thin margin
    torch.testing.assert_close(PLARQuery().score(outputs)[0, 0], expected)
    expected[2] = -INF
    found = PLARQuery(paper_order=True).score(outputs)[0, 0]
    torch.testing.assert_close(found, expected)


def test_plar_does_not_ask_again_what_is_labelled():
    model = make_model(refinement=dict(REFINED['refinement'], min_confidence=0.999)).eval()
    images = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def manual(grid):
        labels = torch.full((1, *grid), 255)
        labels[:, :4] = 2
        return labels

    valid = torch.ones(1, 32, 32, dtype=torch.bool)
    outputs = GridForward(model, PLARQuery())(images, torch.arange(1), 0, manual, valid)
    score = PLARQuery().score(outputs)[0]
    assert (score[:4] == -INF).all() and (score[4:] > -INF).all()


def test_plar_needs_a_refiner(data_root):
    with pytest.raises(UserError, match='this MeanTeacher has none: give model.refiner'):
        run_query(build_model('mt'), make_pool(data_root), 'plar')


def test_paper_order_spends_image_by_image(data_root):
    model, pool = make_model(), make_pool(data_root)
    selector = PixelSelector()
    everything = select(model, pool, PLARQuery(), selector, 10**6)
    most = {choice.index: len(choice.units) for choice in everything}
    budget = most[0] + most[1] + 3
    choices = select(model, pool, PLARQuery(paper_order=True), selector, budget)
    assert {choice.index: len(choice.units) for choice in choices} == {0: most[0], 1: most[1], 2: 3}
    best = next(choice for choice in everything if choice.index == 2).units[:3]
    assert choices[2].units.tolist() == best.tolist()


class Recorder(QueryStrategy):
    """Keeps what it is shown."""

    needs = ('refinement', 'features')

    def __init__(self) -> None:
        self.seen = []

    def score(self, outputs):
        self.seen.append(outputs)
        return outputs.logits[:, 0] * 0


def test_manual_labels_are_references_of_the_refinement(data_root):
    labels = FakeLabels()
    model, pool = make_model(), make_pool(data_root, labels)
    given = np.full((40, 48), 255, np.uint8)
    given[:8, :8], given[30:, 30:] = 2, 3
    labels.labels[pool.image_id(1)] = given
    recorder = Recorder()
    select(model, pool, recorder, PixelSelector(), 5, batch_size=7)
    (outputs,) = recorder.seen
    assert outputs.keys.tolist() == list(range(7))
    assert outputs.manual.unique().tolist() == [2, 3, 255]
    assert (outputs.manual[1, :4, :4] == 2).all()
    assert (outputs.manual[[0, 2, 3, 4, 5, 6]] == 255).all()
    resolved = (outputs.flagged & ~outputs.unresolved & (outputs.manual == 255)).flatten(1).any(1)
    assert resolved[1]  # two classes have references there
    assert set(outputs.labels[1].unique().tolist()) >= {2, 3}
    expected = model.refinement.refiner(
        outputs.features, outputs.probs, outputs.flagged, outputs.manual
    )
    assert torch.equal(outputs.unresolved, expected.unresolved)
    torch.testing.assert_close(outputs.margin, expected.margin)


def test_spread_order_covers_the_grid_early():
    order = spread_order((8, 8), np.zeros(1, np.int64))[0]
    assert sorted(order.flatten().tolist()) == list(range(64))
    for side in (4, 2):  # the first 4 (16) cells: one in each of the 4 (16) squares
        first = (order < (8 // side) ** 2).float()[None, None]
        count = torch.nn.functional.avg_pool2d(first, side) * side**2
        assert (count == 1).all()
    shifted = spread_order((8, 8), np.asarray([5 + (3 << 16)]))[0]
    assert torch.equal(shifted, order.roll((-5, -3), (0, 1)))


def test_classes_take_turns():
    classes = torch.tensor([[[0, 0, 0, 1], [1, 2, 2, 0], [2, 2, 2, 2]]])
    mask = torch.ones(1, 3, 4, dtype=torch.bool)
    mask[0, 2, 3] = mask[0, 1, 3] = False  # left: 3 of class 0, 2 of class 1, 5 of class 2
    order = torch.arange(12).flip(0).view(1, 3, 4)  # the last cells come first in their class
    rank = ranks_in_turn(classes, mask, order, 4)
    # turns: 2 0 1 | 2 0 1 | 2 0 | 2 | 2, then what is outside the mask
    assert rank[mask].tolist() == [7, 4, 1, 5, 2, 9, 8, 6, 3, 0]
    assert sorted(rank[~mask].tolist()) == [10, 11]


def test_seed_asks_all_images_alike_and_inside_the_error_mask(data_root):
    model, pool = make_model(), make_pool(data_root)
    selector = dict(type='PixelSelector', suppression=0)  # which could leave ranks out
    choices = run_query(model, pool, 'seed', budget=7 * 3, selector=selector)
    assert [len(choice.units) for choice in choices] == [3] * 7
    recorder = Recorder()
    select(model, pool, recorder, PixelSelector(), 5, batch_size=7)
    flagged = recorder.seen[0].flagged
    for index, mask in request_masks(pool, choices).items():
        row, column = mask.nonzero()
        assert flagged[index, row // 2, column // 2].all()


def test_seed_goes_by_confidence_where_there_is_no_refinement():
    outputs = outputs_of([[0.6, 0.4], [0.8, 0.2], [0.4, 0.6], [0.55, 0.45]])
    score = SeedQuery(0.7).score(outputs)[0, 0]
    assert score[1] == -INF
    assert score[2] == -1  # class 1 has fewer cells than class 0, whose first cell comes first
    assert sorted(score[[0, 3]].tolist()) == [-2, 0]


def test_strategies_of_probabilities_work_with_a_sliding_network(data_root):
    segmentor = tiny_segmentor()
    segmentor['test_cfg'] = dict(mode='slide', crop_size=(32, 32), stride=(16, 16))
    model, pool = make_model(segmentor=segmentor), make_pool(data_root)
    for name in ('random', 'entropy', 'margin', 'least_confidence', 'confidence'):
        masks = request_masks(pool, run_query(model, pool, name))
        assert sum(int(mask.sum()) for mask in masks.values()) == 25
    for name in ('plar', 'seed'):
        kind = STRATEGIES[name]['type']
        with pytest.raises(UserError, match=f"{kind} needs features, .*mode='slide' does not"):
            run_query(model, pool, name)


def test_images_of_random_scores_are_drawn_alike(data_root):
    pool, model = make_pool(data_root), make_model()
    drawn = [
        select(model, pool, RandomQuery(), ImageSelector(), 1, 'images', seed=seed)[0].index
        for seed in range(12)
    ]
    assert len(set(drawn)) > 3


def test_plar_notes_count_cells_and_leave_the_padding_out():
    query = PLARQuery()
    query.begin(None)
    valid = torch.tensor([[[True, True, True, False]]])
    flagged = torch.tensor([[[True, True, False, True]]])
    unresolved = torch.tensor([[[True, False, False, True]]])
    outputs = PoolOutputs(torch.zeros(1, 2, 1, 4), torch.arange(1), valid=valid, flagged=flagged)
    outputs.unresolved, outputs.margin = unresolved, torch.zeros(1, 1, 4)
    for _ in range(2):
        query.score(outputs)
    assert query.notes() == dict(cells=6, flagged=4, corrected=2, unresolved=2)
    query.begin(None)
    assert set(query.notes().values()) == {0}
