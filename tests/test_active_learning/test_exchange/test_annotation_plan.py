"""What people are shown: in order, with islands joined or left out, and their clicks."""

import numpy as np
from exchange_runs import few, masks
from hypothesis import given

from mmseg_tsf.active_learning.exchange.annotation_plan import make_plan, predicted_pieces
from mmseg_tsf.active_learning.exchange.request import AskedImage
from mmseg_tsf.active_learning.selection.clicks import count_clicks


def islands() -> np.ndarray:
    """Four islands of 6, 4, 2 and 2 pixels, and a single pixel."""
    mask = np.zeros((32, 32), bool)
    mask[1:3, 20:23] = True
    mask[1:3, 4:6] = True
    mask[5, 8:10] = True
    mask[5, 12:14] = True
    mask[30, 30] = True
    return mask


def test_regions_are_read_band_by_band_there_and_back():
    plan = make_plan(islands())
    firsts = [np.argwhere(region)[0].tolist() for region in plan.regions()]
    # rows 0-3 from left to right, rows 4-7 back
    assert firsts == [[1, 4], [1, 20], [5, 12], [5, 8]]
    assert plan.points.tolist() == [[30, 30]]
    assert plan.describe() == dict(regions=4, points=1, clicks=plan.clicks, left_out=0)
    assert plan.clicks == count_clicks(islands())


def test_points_are_in_order_too():
    mask = np.zeros((16, 16), bool)
    mask[[0, 0, 3, 3], [9, 2, 2, 9]] = True
    assert make_plan(mask).points.tolist() == [[2, 0], [9, 0], [9, 3], [2, 3]]


@few
@given(masks)
def test_all_that_is_asked_is_shown_once(mask):
    plan = make_plan(mask)
    assert np.array_equal(plan.shown, mask)
    assert plan.left_out == 0
    counts = np.zeros(mask.shape, int)
    for region in plan.regions():
        assert region.sum() > 1
        counts += region
    counts[plan.points[:, 1], plan.points[:, 0]] += 1
    assert np.array_equal(counts, mask)


def test_islands_with_small_gaps_are_joined():
    asked = islands()
    apart = make_plan(asked, join=1)  # the gap is 2 pixels wide
    assert apart.num_regions == 4
    plan = make_plan(asked, join=2)
    assert plan.num_regions == 3
    assert plan.shown[5, 8:14].all() and plan.shown.sum() == asked.sum() + 2
    assert plan.left_out == 0 and (plan.shown >= asked).all()
    assert plan.clicks < make_plan(asked).clicks


@few
@given(masks)
def test_joining_hides_nothing_and_does_not_lean_on_the_border(mask):
    plan = make_plan(mask, join=2)
    assert plan.shown[mask].all()
    alone = np.zeros((9, 9), bool)
    alone[0, 4] = True
    assert np.array_equal(make_plan(alone, join=3).shown, alone)


def test_tiny_islands_are_left_out_and_counted():
    plan = make_plan(islands(), min_pixels=4)
    assert plan.num_regions == 2 and len(plan.points) == 0
    assert plan.left_out == 2 + 2 + 1
    assert make_plan(islands(), join=2, min_pixels=4).left_out == 1  # four pixels, once joined


def test_an_image_of_tiny_islands_only_keeps_the_largest():
    mask = np.zeros((8, 8), bool)
    mask[[1, 3], [1, 3]] = True
    assert len(make_plan(mask, min_pixels=10).points) == 2
    mask[6, 1:4] = True
    plan = make_plan(mask, min_pixels=10)
    assert plan.num_regions == 1 and plan.left_out == 2
    assert not make_plan(np.zeros((8, 8), bool), min_pixels=10).shown.any()


def test_what_is_believed_comes_in_pieces_of_one_class_and_one_region():
    asked = islands()
    prelabels = np.where(asked, 2, 255).astype(np.uint8)
    prelabels[1:3, 4] = 1
    prelabels[1, 20] = 255  # not known
    image = AskedImage('x', None, asked, prelabels)
    found = list(predicted_pieces(image, make_plan(asked, join=2)))
    assert [(value, int(mask.sum())) for value, mask in found] == [(1, 2), (2, 2), (2, 5), (2, 4)]
    assert np.array_equal(found[0][1], prelabels == 1)
    assert not found[3][1][5, 10:12].any()  # shown, but not asked
    assert list(predicted_pieces(AskedImage('x', None, asked), make_plan(asked))) == []
