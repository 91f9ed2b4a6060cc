"""Label-efficiency figures against values by hand."""

import statistics

import pytest

from mmseg_tsf.evaluation.label_efficiency import (
    area_under_curve,
    mean_and_deviation,
    mean_curve,
    spend_to_reach,
    summarise_curves,
)
from mmseg_tsf.utils.errors import UserError


def test_the_area_is_the_mean_height():
    assert area_under_curve([10, 20, 40], [30, 50, 60]) == pytest.approx((10 * 40 + 20 * 55) / 30)
    assert area_under_curve([3, 7], [42, 42]) == 42
    assert area_under_curve([3], [42]) == 42
    # the same curve in another unit of spend has the same area
    assert area_under_curve([100, 200, 400], [30, 50, 60]) == pytest.approx(50)


def test_spend_is_interpolated_to_the_first_crossing():
    spend, score = [10, 20, 40, 50], [30, 50, 40, 60]
    assert spend_to_reach(spend, score, 45) == pytest.approx(17.5)
    assert spend_to_reach(spend, score, 50) == 20
    assert spend_to_reach(spend, score, 55) == pytest.approx(47.5)
    assert spend_to_reach(spend, score, 30) == spend_to_reach(spend, score, 5) == 10
    assert spend_to_reach(spend, score, 60.1) is None


@pytest.mark.parametrize(('spend', 'score'), [([], []), ([1, 1], [2, 3]), ([1, 2], [3])])
def test_what_is_no_curve_is_refused(spend, score):
    with pytest.raises(UserError, match='points of rising spend'):
        area_under_curve(spend, score)
    with pytest.raises(UserError, match='points of rising spend'):
        spend_to_reach(spend, score, 1)


def test_one_seed_has_no_deviation():
    assert mean_and_deviation([4.0]) == dict(mean=4.0, sd=None, n=1)
    found = mean_and_deviation([4.0, 6.0, 11.0])
    assert found == dict(mean=7.0, sd=pytest.approx(statistics.stdev([4, 6, 11])), n=3)


def by_round(*points: tuple[float, float]) -> dict[int, tuple[float, float]]:
    return dict(enumerate(points))


def test_a_mean_curve():
    curves = [by_round((10, 30.0), (20, 40.0)), by_round((10, 34.0), (22, 46.0))]
    assert mean_curve(curves) == [
        dict(spend=10, mean=32, sd=pytest.approx(8**0.5), n=2),
        dict(spend=21, mean=43, sd=pytest.approx(18**0.5), n=2),
    ]


def test_a_seed_that_is_not_finished_cuts_the_others():
    curves = [by_round((10, 30.0), (12, 40.0), (14, 50.0)), by_round((10, 30.0), (12, 38.0))]
    found = summarise_curves(curves, 100.0, 0.4)
    assert found['final']['mean'] == 39 and found['aubc']['mean'] == 34.5
    assert found['share_of_full']['mean'] == 0.39 and found['reached'] == 1


def test_a_round_that_bought_nothing_moves_no_other():
    curves = [
        by_round((10, 40.0), (15, 45.0), (20, 50.0), (25, 55.0)),
        by_round((10, 40.0), (10, 41.0), (20, 50.0), (25, 55.0)),
    ]
    found = summarise_curves(curves, None, 0.95)
    assert [point['spend'] for point in found['curve']] == [10, 12.5, 20, 25]
    assert [point['mean'] for point in found['curve']] == [40, 43, 50, 55]
    assert found['final'] == dict(mean=55, sd=0, n=2)
    # of what was measured twice at one spend, the later counts
    second = (10 * (41 + 50) / 2 + 5 * 52.5) / 15
    assert found['aubc']['mean'] == pytest.approx((47.5 + second) / 2)


def test_seeds_without_a_common_round_are_refused():
    with pytest.raises(UserError, match='no round that all of them have'):
        summarise_curves([{0: (10, 30.0)}, {1: (12, 40.0)}], None, 0.95)


def test_a_summary():
    curves = [by_round((10, 30.0), (20, 40.0)), by_round((10, 34.0), (20, 50.0))]
    plain = summarise_curves(curves, None, 0.95)
    assert plain['aubc'] == dict(mean=38.5, sd=pytest.approx(statistics.stdev([35, 42])), n=2)
    assert plain['final']['mean'] == 45
    assert plain['share_of_full'] is plain['spend_to_reach'] is None
    some = summarise_curves(curves, 60.0, 0.75)  # 45 is the aim
    assert some['share_of_full']['mean'] == pytest.approx(0.75)
    assert some['reached'] == 1 and some['spend_to_reach'] is None
    both = summarise_curves(curves, 60.0, 0.6)  # 36
    assert both['reached'] == 2
    assert both['spend_to_reach']['mean'] == pytest.approx((16 + 11.25) / 2)
    assert both['at_start'] == 0
    low = summarise_curves(curves, 60.0, 0.55)  # 33: the second seed has it before it asks
    assert low['at_start'] == 1 and low['spend_to_reach']['mean'] == pytest.approx((13 + 10) / 2)
