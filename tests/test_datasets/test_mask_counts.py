"""What the classes in all masks together say about the masks."""

import numpy as np
import pytest

from mmseg_tsf.datasets.mask_counts import (
    MaskCounts,
    check_several_classes,
    check_void,
    remarks,
)
from mmseg_tsf.utils.errors import UserError

TWO, THREE = ('wall', 'crack'), ('road', 'sky', 'car')


def counts(*masks):
    found = MaskCounts()
    for ids in masks:
        found.add(MaskCounts.of(np.array([ids], np.uint8)))
    return found


def test_counts_are_those_of_plain_loops():
    rng = np.random.default_rng(0)
    masks = [rng.choice([0, 1, 2, 255], (5, 6)).astype(np.uint8) for _ in range(6)]
    masks += [np.full((5, 6), 255, np.uint8), np.zeros((5, 6), np.uint8)]
    found = MaskCounts()
    for mask in masks:
        found.add(MaskCounts.of(mask))
    for value in range(256):
        shown = [value in mask for mask in masks]
        void = [255 in mask for mask in masks]
        assert found.pixels[value] == sum((mask == value).sum() for mask in masks)
        assert found.shown[value] == sum(shown)
        assert found.beside_void[value] == sum(a and b for a, b in zip(shown, void, strict=True))
    assert (found.masks, found.empty) == (8, 1)
    assert found.void == pytest.approx(100 * np.mean(np.stack(masks) == 255))


@pytest.mark.parametrize(
    ('masks', 'classes', 'said'),
    [
        ([(0, 255, 255, 0), (0, 0)], TWO, r"the class 'wall' and 255 alone \(33\.3 % .*255 -> 1\)"),
        ([(1, 255)], TWO, r"the class 'crack' and 255 alone .* so 'wall' would .*255 -> 1"),
        ([(255, 255)], TWO, r'255 alone \(100\.0 %'),
        ([(0, 255), (0, 255)], THREE, "so 'sky', 'car' would never be seen: if 255 stands for a"),
    ],
)
def test_255_that_stands_for_a_class(masks, classes, said):
    with pytest.raises(UserError, match=rf'key: its {len(masks)} masks hold .*{said}'):
        check_void(counts(*masks), classes, 'key')


@pytest.mark.parametrize(
    ('masks', 'classes'),
    [
        ([(0, 1, 255)], TWO),  # a border, as in Cityscapes
        ([(0, 0), (1, 1), (255, 255)], TWO),
        ([(0, 1, 255)], THREE),  # a class that a short list lacks
        ([(0, 0)], TWO),  # no void: nothing is hidden by it
        ([(0, 255)], ('crack',)),  # one class has no other
        ([], TWO),  # a run that asks before it trains
    ],
)
def test_255_that_is_no_label(masks, classes):
    check_void(counts(*masks), classes, 'key')


def test_a_single_class_cannot_be_learnt():
    with pytest.raises(UserError, match="its 2 masks has the class 'wall', so 'crack' cannot be"):
        check_several_classes(counts((0, 0), (0, 0)), TWO, 'key')
    for masks, classes in (([(0, 1)], TWO), ([(0, 1)], THREE), ([], TWO), ([(0, 0)], ('crack',))):
        check_several_classes(counts(*masks), classes, 'key')


@pytest.mark.parametrize(
    ('masks', 'classes', 'said'),
    [
        ([(0, 1), (1, 255)], TWO, []),
        ([(0, 1), (0, 1)], THREE, ['1 of 3 classes have no labelled pixel in its 2 masks (car)']),
        ([(0, 1, 255), (255, 255)], TWO, ['1 of 2 masks have no labelled pixel']),
        ([(0, 1), (0, 255), (0, 255)], TWO, ["'crack' is in 1 masks and 255", 'in 2, but never']),
        ([(0, 1), (0, 255), (1, 255)], TWO, []),
        ([(0, 1, 2), (0, 255)], THREE, []),
        ([], TWO, []),
    ],
)
def test_remarks(masks, classes, said):
    found = remarks(counts(*masks), classes, 'key')
    assert len(found) == min(len(said), 1)
    assert all(text in found[0] for text in said)
