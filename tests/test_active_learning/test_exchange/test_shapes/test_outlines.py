"""Outlines against corners by hand, and back to the mask that they were drawn around."""

import numpy as np
import pytest
from exchange_runs import few, masks
from hypothesis import given
from scipy import ndimage

from mmseg_tsf.active_learning.exchange.readers.values import BrokenShape
from mmseg_tsf.active_learning.exchange.shapes.outlines import (
    cut_holes,
    fill,
    fill_box,
    outlines,
)


def ring_with_hole() -> np.ndarray:
    mask = np.zeros((7, 8), bool)
    mask[1:6, 1:7] = True
    mask[2:4, 3:5] = False
    return mask


def test_corners_of_a_mask_with_a_hole():
    outer, hole = outlines(ring_with_hole())
    assert outer.tolist() == [[1, 1], [7, 1], [7, 6], [1, 6]]  # clockwise
    assert sorted(hole.tolist()) == [[3, 2], [3, 4], [5, 2], [5, 4]]
    x, y = hole.T
    assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() == -2 * 4  # the other way round


def test_pixels_that_touch_by_a_corner_have_outlines_of_their_own():
    rings = outlines(np.eye(3, dtype=bool))
    assert [ring.tolist() for ring in rings] == [
        [[i, i], [i + 1, i], [i + 1, i + 1], [i, i + 1]] for i in range(3)
    ]


def test_nothing_has_no_outline():
    assert outlines(np.zeros((3, 3), bool)) == []
    assert not fill([], (3, 3)).any()


@few
@given(masks)
def test_outlines_are_filled_to_the_same_mask(mask):
    rings = outlines(mask)
    assert np.array_equal(fill(rings, mask.shape), mask)
    closed = [np.concatenate([ring, ring[:1]]) for ring in rings]
    assert np.array_equal(fill(closed, mask.shape), mask)


@few
@given(masks)
def test_one_ring_keeps_all_holes(mask):
    labels, num = ndimage.label(mask)
    for i in range(1, num + 1):
        ring = cut_holes(outlines(labels == i))
        assert np.array_equal(fill([ring], mask.shape), labels == i)


def test_a_pixel_belongs_to_a_polygon_by_its_centre():
    triangle = np.array([(0, 0), (4, 0), (0, 4)])
    assert fill([triangle], (4, 4)).sum(1).tolist() == [3, 2, 1, 0]
    assert fill([triangle - 2], (4, 4)).sum() == 0  # the centre of a corner lies on its long side
    assert fill([triangle * 10 - 5], (4, 4)).all()  # most of it off the image


def test_slanted_slits_leave_no_trace():
    outer = np.array([(0, 0), (30, 0), (30, 30), (0, 30)])
    hole = np.array([(11, 7), (11, 13), (17, 13), (17, 7)])
    ring = cut_holes([outer, hole])
    expected = np.ones((30, 30), bool)
    expected[7:13, 11:17] = False
    assert np.array_equal(fill([ring], (30, 30)), expected)


def test_pycocotools_fills_our_polygons_alike():
    theirs = pytest.importorskip('pycocotools.mask', reason='needs pycocotools: [coco]')
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels, num = ndimage.label(rng.random((12, 14)) < 0.6)
        for i in range(1, num + 1):
            ring = cut_holes(outlines(labels == i))
            filled = theirs.decode(theirs.frPyObjects([ring.ravel().tolist()], 12, 14))
            assert np.array_equal(filled[..., 0], labels == i)


def test_a_small_polygon_needs_little_of_a_large_image():
    ring = np.array([(5000.2, 30), (5040, 30.5), (5040, 90), (5000.2, 90)])
    top, left, mask = fill_box([ring], (4000, 6000))
    assert (top, left, mask.shape) == (30, 5000, (60, 40)) and mask.mean() > 0.9
    rng = np.random.default_rng(0)
    for _ in range(25):
        ring = rng.uniform(-6, 18, (rng.integers(1, 9), 2))
        top, left, mask = fill_box([ring], (10, 12))
        whole = np.zeros((10, 12), bool)
        whole[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        assert np.array_equal(whole, inside(ring, (10, 12)))


def inside(ring, size) -> np.ndarray:
    """By the definition: a ray to the left crosses an odd number of sides."""
    found = np.zeros(size, bool)
    for row, column in np.ndindex(size):
        x, y = column + 0.5, row + 0.5
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, 0), strict=True):
            if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
                found[row, column] ^= True
    return found


def test_an_outline_that_would_fill_the_memory_is_broken():
    zigzag = np.stack([np.linspace(0, 50, 4000), np.arange(4000) % 2 * 4000], 1)
    with pytest.raises(BrokenShape, match='crosses rows more than 4,000,000 times'):
        fill_box([zigzag], (4000, 6000))
