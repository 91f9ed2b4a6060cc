"""What becomes an answer: only what was asked, all or nothing, and nothing silently replaced."""

import numpy as np
import pytest
from exchange_runs import IDS, SIZE, asked_masks, truth
from PIL import Image

from mmseg_tsf.active_learning.exchange.answers import ImageLabels, write_answers
from mmseg_tsf.utils.errors import UserError


def say(image_id, labels=None, said=None) -> tuple[str, ImageLabels]:
    found = ImageLabels(SIZE)
    found.labels = truth(image_id) if labels is None else labels
    found.labelled = np.ones(SIZE, bool) if said is None else said
    return image_id, found


def read(path):
    return np.asarray(Image.open(path))


def test_only_what_was_asked_becomes_an_answer(waiting, tmp_path):
    summary = write_answers((say(i) for i in IDS), waiting, tmp_path)
    outside = sum(int((~mask).sum()) for mask in asked_masks().values())
    assert summary.dropped == outside and not summary.missing and not summary.unlabelled
    for image_id, asked in asked_masks().items():
        labels = read(tmp_path / f'{image_id}.png')
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, np.where(asked, truth(image_id), 255))


def test_what_is_not_said_is_no_class(waiting, tmp_path):
    said = np.zeros(SIZE, bool)
    said[:8] = True
    void = np.full(SIZE, 255, np.uint8)
    void[4] = 2
    found = [say('city/a', void, said), say('c', said=~asked_masks()['c']), ('x', None)]
    summary = write_answers(found, waiting, tmp_path)
    asked = asked_masks()['city/a']
    labels = read(tmp_path / 'city/a.png')
    assert np.array_equal(labels == 2, asked & (np.arange(SIZE[0]) == 4)[:, None])
    assert (labels[labels != 2] == 255).all()
    assert summary.unlabelled == {'city/a': int((asked & ~said).sum())}
    assert summary.missing == ['c', 'city/b.left'] and summary.foreign == ['x']
    assert summary.written == ['city/a']
    assert not (tmp_path / 'c.png').exists()


def test_doing_it_again_changes_nothing_and_replacing_needs_to_be_said(waiting, tmp_path):
    write_answers([say('city/a')], waiting, tmp_path)
    written = (tmp_path / 'city/a.png').stat().st_mtime_ns
    summary = write_answers([say('city/a'), say('c')], waiting, tmp_path)
    assert (summary.kept, summary.written) == (['city/a'], ['c'])
    assert (tmp_path / 'city/a.png').stat().st_mtime_ns == written
    other = say('c', np.zeros(SIZE, np.uint8))
    with pytest.raises(UserError, match=r'/c\.png \(1 in all\) holds another .*--overwrite'):
        write_answers([say('city/b.left'), other], waiting, tmp_path)
    assert not (tmp_path / 'city/b.left.png').exists()  # nothing at all
    assert np.array_equal(read(tmp_path / 'c.png'), truth('c'))
    summary = write_answers([say('city/b.left'), other], waiting, tmp_path, overwrite=True)
    assert (summary.replaced, summary.written) == (['c'], ['city/b.left'])
    assert not read(tmp_path / 'c.png').any()


def test_what_differs_outside_of_the_request_only_is_the_same_answer(waiting, tmp_path):
    path = tmp_path / 'city/a.png'
    path.parent.mkdir()
    Image.fromarray(truth('city/a')).save(path)  # by hand, without a thought for the request
    assert write_answers([say('city/a')], waiting, tmp_path).kept == ['city/a']
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match='holds another answer'):
        write_answers([say('city/a')], waiting, tmp_path)


def test_two_answers_to_one_image_are_refused(waiting, tmp_path):
    with pytest.raises(UserError, match='city/a has two answers in the export'):
        write_answers([say('city/a'), say('city/a')], waiting, tmp_path)
    nothing = say('city/a', said=np.zeros(SIZE, bool))
    assert write_answers([nothing, say('city/a')], waiting, tmp_path).written


def test_points_off_the_image_say_nothing():
    found = ImageLabels((3, 4))
    for x, y in ((-0.1, 0), (0, -0.1), (4.0, 0), (0, 3.0)):
        found.paint_point(x, y, 1)
    assert not found.labelled.any()
    found.paint_point(3.99, 2.5, 1)
    assert np.argwhere(found.labelled).tolist() == [[2, 3]]
