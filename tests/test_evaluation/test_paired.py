"""Paired differences against scipy's t interval and counts by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from mmseg_tsf.evaluation.paired import compare_all, count_wins, paired_difference

FIRST = {0: 50.0, 1: 52.5, 2: 49.0, 3: 55.0}
SECOND = {0: 48.0, 1: 49.5, 2: 47.5, 3: 52.0, 9: 99.0}


def test_the_interval_is_that_of_scipy():
    found = paired_difference(FIRST, SECOND)
    differences = np.array([2.0, 3.0, 1.5, 3.0])
    low, high = stats.t.interval(0.95, 3, loc=differences.mean(), scale=stats.sem(differences))
    assert found['seeds'] == [0, 1, 2, 3]  # seed 9 has no partner
    assert found['mean'] == differences.mean()
    assert (found['low'], found['high']) == pytest.approx((low, high), rel=1e-12)
    assert found['verdict'] == 'win' and low > 0
    narrow = paired_difference(FIRST, SECOND, confidence=0.5)
    low, high = stats.t.interval(0.5, 3, loc=differences.mean(), scale=stats.sem(differences))
    assert (narrow['low'], narrow['high']) == pytest.approx((low, high), rel=1e-12)


def test_of_two_seeds_by_hand():
    found = paired_difference({0: 1.0, 1: 4.0}, {0: 0.0, 1: 1.0})
    # differences 1 and 3: mean 2, standard error 1; t(0.975, 1) = tan(0.475 pi)
    reach = math.tan(0.475 * math.pi)
    assert (found['low'], found['high']) == pytest.approx((2 - reach, 2 + reach))
    assert found['verdict'] == 'open'


def test_equal_differences_have_an_interval_of_no_width():
    assert paired_difference({0: 1.0, 1: 2.0}, {0: 2.0, 1: 3.0}) == dict(
        mean=-1.0, low=-1.0, high=-1.0, seeds=[0, 1], verdict='loss'
    )
    assert paired_difference({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})['verdict'] == 'open'


def test_below_two_seeds_there_is_no_interval():
    alone = paired_difference({0: 3.0}, {0: 1.0, 1: 1.0})
    assert alone == dict(mean=2.0, low=None, high=None, seeds=[0], verdict='open')
    none = paired_difference({0: 3.0}, {1: 1.0})
    assert none == dict(mean=None, low=None, high=None, seeds=[], verdict='open')


def test_wins_are_counted_for_both_sides():
    scores = {
        'good': {0: 9.0, 1: 9.1, 2: 9.0},
        'bad': {0: 1.0, 1: 1.2, 2: 1.0},
        'wild': {0: 0.0, 1: 20.0, 2: 5.0},
    }
    pairs = compare_all(scores)
    assert [(p['first'], p['second']) for p in pairs] == [
        ('good', 'bad'),
        ('good', 'wild'),
        ('bad', 'wild'),
    ]
    assert count_wins(pairs) == dict(
        good=dict(win=1, loss=0, open=1),
        bad=dict(win=0, loss=1, open=1),
        wild=dict(win=0, loss=0, open=2),
    )
    assert compare_all({'alone': {0: 1.0}}) == [] and count_wins([]) == {}
