"""Grid cells, superpixels and whole images."""

import numpy as np
import pytest
from query_runs import scored_image

from mmseg_tsf.active_learning.selection.selectors.images import ImageSelector
from mmseg_tsf.active_learning.selection.selectors.regions import GridSelector, SuperpixelSelector
from mmseg_tsf.active_learning.strategies.seed import SeedQuery
from mmseg_tsf.active_learning.strategies.uncertainty import EntropyQuery
from mmseg_tsf.utils.errors import UserError

INF = float('inf')


def prepared(selector, scores, **options):
    scored = scored_image(scores, **options)
    scored.prepared = selector.prepare(scored.image)
    return scored


def test_grid_cells_by_hand():
    selector = GridSelector(8)
    scored = prepared(selector, [[1, 3, 2], [5, 7, -INF], [-INF, -INF, 0.5]])  # 12x12 pixels
    found = selector.candidates(scored)
    assert found.units.tolist() == [0, 1, 3]
    assert found.scores.tolist() == [4, 2, 0.5]  # -inf does not count
    assert found.pixels.tolist() == [64, 32, 16]
    mask = selector.mask(found.units[1:2], scored.image)
    assert mask[:8, 8:].all()
    assert mask.sum() == 32


def test_pixels_asked_before_do_not_count():
    selector = GridSelector(8)
    asked = np.zeros((16, 16), bool)
    asked[:8] = True  # the upper two regions
    asked[8:12, 8:12] = True  # a cell of the last one
    scores = np.arange(16.0).reshape(4, 4)
    scored = prepared(selector, scores, asked=asked)
    found = selector.candidates(scored)
    assert found.units.tolist() == [2, 3]
    assert found.pixels.tolist() == [64, 48]
    assert found.scores.tolist() == [10.5, np.float16((11 + 14 + 15) / 3)]
    mask = selector.mask(found.units, scored.image)
    assert mask.sum() == 112
    assert not (mask & asked).any()


def test_the_class_of_a_region_is_its_most_frequent_one():
    selector = GridSelector(8, class_balanced=True)
    classes = np.asarray([[1, 1, 0, 2], [0, 1, 2, 2]], np.uint8)
    scored = prepared(selector, np.ones((2, 4)), classes=classes)
    assert selector.candidates(scored).groups.tolist() == [1, 2]


def test_of_turns_the_first_counts():
    """Regions of many flagged cells are not worse for the later turns in them."""
    selector = GridSelector(8)
    scored = prepared(selector, [[0, -3, -1, -INF], [-2, -4, -INF, -INF]])
    assert selector.candidates(scored).scores.tolist() == [-2.25, -1]
    scored.ranked = True
    assert selector.candidates(scored).scores.tolist() == [0, -1]


def test_whole_images_are_not_asked_by_turns():
    with pytest.raises(UserError, match='SeedQuery spreads what is asked inside of images'):
        ImageSelector().check_strategy(SeedQuery())
    ImageSelector().check_strategy(EntropyQuery())


@pytest.fixture
def halves():
    """An image of two colours, parted at column 20."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, 20:] = 200, 30, 90
    return pixels


def test_superpixels_follow_the_image(halves):
    selector = SuperpixelSelector(16, compactness=0.1)
    scored = prepared(selector, np.random.default_rng(0).random((8, 12)), picture=lambda: halves)
    regions = scored.prepared
    assert regions.shape == (32, 48)
    assert not set(regions[:, :20].ravel()) & set(regions[:, 20:].ravel())
    assert np.array_equal(regions, SuperpixelSelector(16, compactness=0.1).prepare(scored.image))
    found = selector.candidates(scored)
    for unit, score, pixels in zip(*found[:3], strict=True):
        own = selector.mask([unit], scored.image)
        assert np.array_equal(own, regions == unit)
        assert own.sum() == pixels
        centres = own[np.ix_(scored.rows, scored.columns)]
        mean = scored.scores[centres].astype(np.float64).mean()
        assert score == np.float16(mean)


def test_cells_asked_before_do_not_count_for_an_image():
    asked = np.zeros((8, 8), bool)
    asked[:4] = True  # the upper row of cells
    scored = scored_image([[9, 9], [1, 3]], asked=asked)
    found = ImageSelector().candidates(scored)
    assert found.scores.tolist() == [2] and found.pixels.tolist() == [32]


def test_images_by_hand():
    selector = ImageSelector()
    scored = scored_image([[1, 2], [-INF, 6]])
    found = selector.candidates(scored)
    assert [part.tolist() for part in found] == [[0], [3], [64], [0]]
    assert selector.mask(found.units, scored.image).all()
    asked = np.ones((8, 8), bool)
    assert not len(selector.candidates(scored_image(np.ones((2, 2)), asked=asked)).units)
    assert not len(selector.candidates(scored_image(np.full((2, 2), -INF))).units)
    asked[0, :3] = False
    scored = scored_image(np.ones((2, 2)), asked=asked)
    assert selector.candidates(scored).pixels.tolist() == [3]
    assert np.array_equal(selector.mask([0], scored.image), ~asked)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: GridSelector(0), 'GridSelector.size=0 must be a whole number'),
        (lambda: SuperpixelSelector(2.5), 'SuperpixelSelector.size=2.5 must be a whole number'),
        (lambda: SuperpixelSelector(compactness=0), 'SuperpixelSelector.compactness=0 must be'),
    ],
)
def test_wrong_options_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
