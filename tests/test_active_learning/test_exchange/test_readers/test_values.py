"""Numbers and points, whatever stands in their place."""

import numpy as np
import pytest
from exchange_runs import few
from hypothesis import given
from hypothesis import strategies as st

from mmseg_tsf.active_learning.exchange.readers.values import (
    BrokenShape,
    brief,
    number,
    points,
    whole,
)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([10**400, '1e400', '٣', '0x3', '1_0']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


@few
@given(anything)
def test_anything_is_a_value_or_a_broken_shape(value):
    for read in (number, whole, lambda v: points(v, (32, 40))):
        try:
            found = read(value)
        except BrokenShape as error:
            assert len(str(error)) < 250 and str(error).isprintable()
        else:
            assert np.isfinite(found).all()
            assert read in (number, whole) or found.shape[1:] == (2,)


def test_numbers_may_be_text():
    assert [number(v) for v in (3, '3.5', 2.0)] == [3, 3.5, 2]
    assert [whole(v) for v in (640, 640.0, '640')] == [640] * 3
    for value in ('', 'nan', True, None, [], 10**400, float('inf')):
        with pytest.raises(BrokenShape, match='is not a number'):
            number(value)
    for value in (640.5, '1e300', 2**54):
        with pytest.raises(BrokenShape, match='is not a whole number'):
            whole(value)


def test_points_lie_on_or_near_the_image():
    assert points([[1, 2], [3, 4]], (9, 9)).tolist() == [[1, 2], [3, 4]]
    assert points([1, 2, 3, 4], (9, 9)).tolist() == [[1, 2], [3, 4]]
    assert points([[-40, -32], [80, 64]], (32, 40)).tolist() == [[-40, -32], [80, 64]]
    for far in ([-40.1, 0], [0, -32.1], [80.1, 0], [0, 64.1]):
        with pytest.raises(BrokenShape, match='lies far from the image'):
            points([far], (32, 40))
    assert points([], (9, 9)).shape == points([[]], (9, 9)).shape == (0, 2)
    for odd in ([1, 2, 3], [[1, 2, 3]], [[[1, 2]]], 3):
        with pytest.raises(BrokenShape, match='are not pairs'):
            points(odd, (9, 9))


def test_values_in_messages_are_short_and_printable():
    assert brief('a\n\x00b\ud800') == 'a\\n\\x00b\\ud800'
    assert len(brief('x' * 10**6)) <= 200 and len(brief(list(range(10**5)))) < 100
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert brief(deep).startswith('[[')
    while deep:
        deep = deep.pop()
