"""Pixels and blocks: where, how many, how far apart."""

import numpy as np
import pytest
from query_runs import scored_image

from mmseg_tsf.active_learning.pool.outputs import cell_centres
from mmseg_tsf.active_learning.selection.selectors.pixels import PixelSelector
from mmseg_tsf.utils.errors import UserError

INF = float('inf')


def best_first(selector: PixelSelector, scored) -> list[int]:
    """Units that stay, best first, equal scores in row-major order."""
    candidates = selector.candidates(scored)
    order = np.argsort(-candidates.scores.astype(float), kind='stable')
    return candidates.units[selector.thin(scored, candidates, order)].tolist()


def by_hand(selector: PixelSelector, scored) -> list[int]:
    """The same, cell by cell."""
    candidates = selector.candidates(scored)
    width, kept = scored.image.size[1], []
    for place in np.argsort(-candidates.scores.astype(float), kind='stable'):
        unit = int(candidates.units[place])
        position = divmod(unit, width)
        cell = [int(np.flatnonzero(c == p)[0]) for c, p in zip(axes(scored), position, strict=True)]
        near = False
        for other_cell, other in kept:
            close = [
                abs(a - b) <= selector.suppression or abs(p - q) < selector.block
                for a, b, p, q in zip(cell, other_cell, position, other, strict=True)
            ]
            near |= all(close)
        if not near:
            kept.append((cell, position))
    return [row * width + column for _, (row, column) in kept][: selector.max_per_image]


def axes(scored):
    return scored.rows, scored.columns


@pytest.mark.parametrize('size', [(32, 40), (37, 53), (8, 10)])
@pytest.mark.parametrize('options', [{}, dict(suppression=2), dict(suppression=0, block=6)])
@pytest.mark.parametrize('most', [None, 5])
def test_neighbours_of_better_cells_are_left_out(size, options, most):
    scores = np.random.default_rng(0).integers(0, 9, (8, 10)) / 4
    scored = scored_image(scores, size=size)
    selector = PixelSelector(max_per_image=most, **options)
    found = best_first(selector, scored)
    assert found == by_hand(selector, scored)
    assert found


def test_blocks_never_overlap():
    scored = scored_image(np.random.default_rng(1).random((9, 9)), size=(40, 41))
    selector = PixelSelector(suppression=0, block=5)
    candidates = selector.candidates(scored)
    kept = selector.thin(scored, candidates, np.arange(len(candidates.units)))
    mask = selector.mask(candidates.units[kept], scored.image)
    assert mask.sum() == candidates.pixels[kept].sum()


def test_a_block_as_wide_as_a_cell_asks_whole_cells():
    scores = np.full((3, 4), -INF)
    scores[1, 2] = 1
    scored = scored_image(scores)
    selector = PixelSelector(block=4)
    candidates = selector.candidates(scored)
    assert candidates.pixels.tolist() == [16]
    expected = np.zeros((12, 16), bool)
    expected[4:8, 8:12] = True
    assert np.array_equal(selector.mask(candidates.units, scored.image), expected)


def test_one_pixel_is_the_centre_of_its_cell():
    scored = scored_image([[0.5, -INF], [1.0, 0.25]])
    selector = PixelSelector()
    candidates = selector.candidates(scored)
    assert candidates.units.tolist() == [2 * 8 + 2, 6 * 8 + 2, 6 * 8 + 6]
    assert candidates.scores.tolist() == [0.5, 1.0, 0.25]
    assert selector.mask(candidates.units[1:], scored.image).nonzero()[0].tolist() == [6, 6]


@pytest.mark.parametrize('block', [1, 3, 4, 9])
def test_what_was_asked_before_costs_nothing_and_is_not_asked(block):
    rng = np.random.default_rng(2)
    asked = rng.random((16, 20)) < 0.4
    manual = np.where(rng.random((16, 20)) < 0.1, 3, 255).astype(np.uint8)
    scored = scored_image(rng.random((4, 5)), asked=asked, manual=manual)
    selector = PixelSelector(block=block)
    candidates = selector.candidates(scored)
    for unit, pixels in zip(candidates.units, candidates.pixels, strict=True):
        mask = selector.mask([unit], scored.image)
        assert 0 < mask.sum() == pixels
        assert not (mask & (asked | (manual != 255))).any()
    if block == 1:
        assert len(candidates.units) < 20


def test_a_limit_asks_the_first_pixels_of_its_unit():
    scored = scored_image(np.ones((3, 3)))
    selector = PixelSelector(block=3)
    units = selector.candidates(scored).units[[4, 0]]
    whole = selector.mask(units, scored.image)
    trimmed = selector.mask(units, scored.image, {int(units[1]): 2})
    assert whole.sum() == 18
    assert trimmed.sum() == 11
    assert trimmed[5:8, 5:8].all()  # the other unit: around the middle
    assert trimmed[1, 1:3].all()
    assert not (trimmed & ~whole).any()


def test_cells_in_the_padding_are_not_asked():
    assert cell_centres(40, 5).tolist() == [4, 12, 20, 28, 36]
    assert cell_centres(40, 6, shown=20, padded=24).tolist() == [4, 12, 20, 28, 36, 44]
    scored = scored_image(np.ones((6, 2)), size=(40, 8))
    scored.rows = cell_centres(40, 6, 20, 24)
    assert len(PixelSelector(suppression=0).candidates(scored).units) == 10


def test_a_grid_finer_than_the_image_asks_each_pixel_once():
    scored = scored_image(np.ones((8, 8)), size=(4, 4))
    found = best_first(PixelSelector(suppression=0), scored)
    assert sorted(found) == list(range(16))
    found = best_first(PixelSelector(suppression=2), scored)  # in cells, two to a pixel
    assert sorted(found) == [0, 2, 8, 10]


@pytest.mark.parametrize(
    'options', [dict(block=0), dict(block=1.5), dict(suppression=-1), dict(max_per_image=0)]
)
def test_wrong_options_are_refused(options):
    (name,) = options
    with pytest.raises(UserError, match=f'PixelSelector.{name}={options[name]} must be a whole'):
        PixelSelector(**options)
