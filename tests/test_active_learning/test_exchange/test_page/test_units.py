"""Units of the page: which pixels are asked together, in which order, and how they are encoded."""

import base64
import zlib

import numpy as np
import pytest
from exchange_runs import few
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mmseg_tsf.active_learning.exchange.annotation_plan import make_plan
from mmseg_tsf.active_learning.exchange.page.units import encode_units, number_units

sizes = npst.array_shapes(min_dims=2, max_dims=2, max_side=9)


def decode(text, width):
    """Pixels as flat positions, and their beliefs, of each unit: from the definition."""
    content = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    lowest_first = np.ascontiguousarray(content.reshape(4, -1).T)
    numbers = lowest_first.view('<i4').ravel().tolist()
    units, runs, beliefs, *numbers = numbers
    parts = []
    for length in (units, runs, runs, runs, units, beliefs, beliefs):
        parts.append(numbers[:length])
        numbers = numbers[length:]
    assert numbers == []
    counts, rows, columns, lengths, belief_counts, values, belief_lengths = parts
    rows, columns, lengths = (np.cumsum(part).tolist() for part in (rows, columns, lengths))
    pixels, said = [], []
    for count in counts:
        pixels.append([])
        for _ in range(count):
            first = rows.pop(0) * width + columns.pop(0)
            pixels[-1] += range(first, first + lengths.pop(0))
    for count in belief_counts:
        said.append([])
        for _ in range(count):
            said[-1] += [values.pop(0)] * belief_lengths.pop(0)
    return pixels, said


@few
@given(st.data())
def test_an_encoding_holds_every_unit_and_belief(data):
    size = data.draw(sizes)
    units = data.draw(npst.arrays(np.int32, size, elements=st.integers(0, 5)))
    _, compact = np.unique(np.append(units.ravel(), 0), return_inverse=True)
    units = compact[:-1].reshape(size).astype(np.int32)
    belief = data.draw(npst.arrays(np.uint8, size, elements=st.sampled_from([0, 1, 254, 255])))
    pixels, said = decode(encode_units(units, belief), size[1])
    assert len(pixels) == units.max()
    for i, own in enumerate(pixels):
        assert own == np.flatnonzero(units == i + 1).tolist()
        assert said[i] == belief.ravel()[own].tolist()
    assert decode(encode_units(units, None), size[1])[1] == [[255] * len(own) for own in pixels]


def test_regions_come_in_the_order_of_the_plan():
    asked = np.zeros((80, 60), bool)
    for row in (2, 12, 71):
        asked[row : row + 4, [5, 6, 30, 31, 50, 51]] = True
    units = number_units(make_plan(asked), np.zeros((80, 60, 3), np.uint8), None)
    assert np.array_equal(units, make_plan(asked).numbers)
    assert units[2, [5, 30, 50]].tolist() == [1, 2, 3]
    assert units[12, [5, 30, 50]].tolist() == [6, 5, 4]  # the next band, back to the left


@pytest.mark.parametrize('belief', [False, True])
def test_pixels_of_one_superpixel_and_one_belief_are_asked_together(belief):
    pixels = np.zeros((60, 120, 3), np.uint8)
    pixels[:, 60:] = 255
    asked = np.zeros((60, 120), bool)
    asked[20, [10, 12, 14]] = True
    asked[20, [110, 112]] = True
    believed = np.zeros((60, 120), np.uint8)
    believed[20, 14] = 1
    units = number_units(make_plan(asked), pixels, believed if belief else None)
    dark, bright = units[20, [10, 12, 14]], units[20, [110, 112]]
    assert dark[0] == dark[1] and (dark[2] != dark[0]) == belief
    assert bright[0] == bright[1] and bright[0] not in dark
    assert sorted(np.unique(units)) == list(range(3 + belief))


def test_points_and_regions_share_one_order():
    asked = np.zeros((40, 90), bool)
    asked[1, 30] = True
    asked[1:3, [10, 11, 60, 61]] = True
    units = number_units(make_plan(asked), np.zeros((40, 90, 3), np.uint8), None)
    assert units[1, [10, 30, 60]].tolist() == [1, 2, 3]
