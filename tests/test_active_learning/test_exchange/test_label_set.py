"""Names and colours of classes in a tool."""

import pytest

from mmseg_tsf.active_learning.exchange.label_set import (
    ASKED,
    ASKED_COLOUR,
    VOID,
    LabelSet,
    as_hex,
    colour,
)
from mmseg_tsf.utils.errors import UserError


def test_names_that_mean_something_else_are_told_apart():
    labels = LabelSet(('background', 'road', 'asked'))
    assert labels.names == ('background (class)', 'road', 'asked (class)')
    assert [labels.value(name, 'x') for name in labels.names] == [0, 1, 2]
    assert labels.value('background', 'x') == 0  # a task of people's own
    assert labels.value(ASKED, 'x') is None
    assert labels.value(VOID, 'x') == 255


def test_foreign_and_repeated_names_are_refused():
    labels = LabelSet(('road', 'car'))
    with pytest.raises(
        ValueError,
        match=r"a\.png has the label 'bus', which is not a class \(road, car\): rename",
    ):
        labels.value('bus', 'a.png')
    with pytest.raises(UserError, match='class name car occurs twice'):
        LabelSet(('car', 'road', 'car'))


def test_colours_are_those_of_pascal_voc_and_all_different():
    assert [colour(i) for i in (1, 2, 3, 15, 255)] == [
        (128, 0, 0), (0, 128, 0), (128, 128, 0), (192, 128, 128), (224, 224, 192)
    ]  # fmt: skip
    palette = LabelSet(tuple(f'class {i}' for i in range(255))).palette
    assert list(palette)[-1] == VOID
    assert len({(0, 0, 0), ASKED_COLOUR, *palette.values()}) == 255 + 1 + 2
    assert as_hex((128, 0, 15)) == '#80000f'
