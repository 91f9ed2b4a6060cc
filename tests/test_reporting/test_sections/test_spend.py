"""Every pixel and every image is counted once."""

import pytest
from stores import make_store

from mmseg_tsf.active_learning.campaign.summary import summarise
from mmseg_tsf.reporting.sections.spend import BINS, describe_spend, histogram


def test_classes_rounds_and_images_of_a_store(tmp_path):
    store = make_store(tmp_path / 'rounds', answered=2)
    found = describe_spend(store, summarise(tmp_path, store), [])
    # two images, two rounds of 16 pixels of class r each, the first of them void
    assert [part['pixels'] for part in found['classes']] == [30, 30, 0]
    assert [part['share'] for part in found['classes']] == [0.5, 0.5, 0]
    assert [r['parts'] for r in found['rounds']] == [[1, 0, 0], [0, 1, 0]]
    assert [r['pixels'] for r in found['rounds']] == [30, 30]
    assert [(i['id'], i['pixels'], i['rounds']) for i in found['images']] == [
        ('a/x', 32, 2),
        ('y', 32, 2),
    ]
    assert (found['touched'], found['pool'], found['bought']) == (2, 8, 60)
    assert found['histogram'] == [dict(low=32, high=32, images=2, part=1.0)]


def test_there_is_no_section_before_the_first_answer(tmp_path):
    store = make_store(tmp_path / 'rounds', answered=0)
    assert describe_spend(store, summarise(tmp_path, store), []) is None


def test_wrong_pixels_are_summed_over_the_pictures(tmp_path):
    store = make_store(tmp_path / 'rounds', answered=2)
    panels = [dict(known=10, wrong=3), dict(known=5, wrong=0)]
    pictures = [dict(number=0, panels=panels), dict(number=1, panels=[dict(known=0, wrong=0)])]
    found = describe_spend(store, summarise(tmp_path, store), pictures)
    assert found['wrong'] == [dict(round=0, known=15, wrong=3)]


@pytest.mark.parametrize('amounts', [[5], [1, 2, 2, 4], list(range(7, 200)), [0, 10**6]])
def test_histograms_cover_everything_without_overlap(amounts):
    bins = histogram(amounts)
    assert len(bins) <= BINS and sum(part['images'] for part in bins) == len(amounts)
    assert (bins[0]['low'], bins[-1]['high']) == (min(amounts), max(amounts))
    assert all(one['high'] + 1 == two['low'] for one, two in zip(bins, bins[1:], strict=False))
    for part in bins:
        inside = [a for a in amounts if part['low'] <= a <= part['high']]
        assert part['images'] == len(inside)
    assert max(part['part'] for part in bins) == 1
