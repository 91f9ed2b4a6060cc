"""A budget spent on units that cannot be asked in part."""

import numpy as np
import pytest
from query_runs import scored_image

from mmseg_tsf.active_learning.selection import candidates as candidate_file
from mmseg_tsf.active_learning.selection.candidates import RECORD, take_whole_units
from mmseg_tsf.active_learning.selection.selection import choose
from mmseg_tsf.active_learning.selection.selectors.images import ImageSelector
from mmseg_tsf.active_learning.selection.selectors.regions import GridSelector


def records(*units: tuple[int, int, int]) -> np.ndarray:
    """Candidates by key, cost and group; the unit is the place."""
    found = np.zeros(len(units), RECORD)
    found['key'], found['cost'], found['group'] = zip(*units, strict=True)
    found['unit'] = np.arange(len(units))
    return found


@pytest.mark.parametrize('order', [[0, 1, 2, 3, 4], [3, 1, 4, 0, 2]])
def test_what_does_not_fit_is_passed_over(order):
    candidates = records((9, 4, 0), (8, 5, 0), (7, 7, 0), (6, 1, 0), (5, 1, 0))
    taken = take_whole_units(candidates[order], [10], 10)
    assert taken['unit'].tolist() == [0, 1, 3]  # 4 and 5, not 7, then the better of the ones


def test_what_classes_leave_goes_to_the_one_that_has_spent_least():
    candidates = records((9, 4, 0), (8, 4, 0), (7, 4, 1), (6, 3, 2), (5, 3, 2))
    # every class takes one; what they leave pays another of the third
    assert take_whole_units(candidates, [5, 5, 4], 14)['unit'].tolist() == [0, 2, 3, 4]
    # shares below a unit: the best of all, then one of each that has none yet
    assert take_whole_units(candidates, [3, 2, 2], 7)['unit'].tolist() == [0, 3]


@pytest.mark.parametrize('budget', [1000, 3000, 9999])
def test_an_image_too_large_does_not_keep_the_others_out(budget):
    images = [
        scored_image(np.full((25, 25), 2.0)),
        *(scored_image(np.ones((3, 3)), i + 1) for i in range(39)),
    ]
    choices = choose(images, ImageSelector(), budget)
    assert 0 not in [choice.index for choice in choices]
    assert len(choices) == min(39, budget // 144)
    assert [choice.index for choice in choose(images, ImageSelector(), 10000)] == [0]


@pytest.mark.parametrize('large', [2, 4])
def test_what_is_left_goes_to_small_images_however_many_large_ones_are_better(large, monkeypatch):
    monkeypatch.setattr(candidate_file, 'CHUNK', 8)  # so that candidates are dropped
    images = [scored_image(np.full((15, 10), 2.0), i) for i in range(large)]  # 2400 pixels
    images += [scored_image(np.ones((3, 3)), large + i) for i in range(10)]  # 144 pixels
    choices = choose(images, ImageSelector(), 4000)
    assert sorted(choice.cost for choice in choices) == [144] * 10 + [2400]
    choices = choose(images, ImageSelector(), 2400 + 3 * 144 + 143)
    assert sorted(choice.cost for choice in choices) == [144] * 3 + [2400]


def test_units_out_of_reach_are_not_looked_at(monkeypatch):
    monkeypatch.setattr(candidate_file, 'CHUNK', 64)
    looked = []

    class Watched(GridSelector):
        def clicks(self, scored, units):
            looked.append(scored.image.index)
            return super().clicks(scored, units)

    # the first images are wanted most: 4 cells of 5 clicks each
    images = [scored_image(np.full((4, 4), 100.0 - i), i) for i in range(100)]
    choices = choose(images, Watched(8), 20, 'clicks')
    assert [choice.index for choice in choices] == [0] and choices[0].cost == 20
    assert len(looked) < 30


@pytest.mark.parametrize('budget', [300, 1000, 2000, 4000])
def test_balanced_regions_spend_what_plain_ones_do(budget):
    rng = np.random.default_rng(0)
    images = [
        scored_image(rng.random((16, 16)), i, classes=rng.integers(0, 8, (16, 16)).astype(np.uint8))
        for i in range(10)
    ]
    for selector in (GridSelector(16), GridSelector(16, class_balanced=True)):
        choices = choose(images, selector, budget)
        assert sum(len(choice.units) for choice in choices) == budget // 256
