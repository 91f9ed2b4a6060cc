"""Requests are found in a run or in the folder for people."""

import os
from pathlib import Path

import numpy as np
import pytest
from exchange_runs import CLASSES, IDS, SIZE, BareRequest, asked_masks, believed, make_run, truth

from mmseg_tsf.active_learning import RoundStore, StoreError
from mmseg_tsf.active_learning.exchange.request import closed_notice, read_request
from mmseg_tsf.active_learning.selection.clicks import class_counts
from mmseg_tsf.utils.errors import UserError


@pytest.fixture
def work_dir(tmp_path):
    make_run(tmp_path)
    return tmp_path


def test_a_run_and_its_folder_for_people_say_the_same(work_dir):
    folder = work_dir / 'annotation/round_000'
    for source in (work_dir, folder):
        request = read_request(source)
        assert (request.number, request.classes) == (0, CLASSES)
        assert request.sizes == {image_id: SIZE for image_id in IDS}
        assert request.answers == folder / 'answers'
        for image, image_id in zip(request.asked_images(), sorted(IDS), strict=True):
            asked = asked_masks()[image_id]
            assert image.image_id == image_id
            assert np.array_equal(image.asked, asked)
            assert np.array_equal(image.prelabels, np.where(asked, believed(image_id), 255))
            assert image.file.resolve() == work_dir / f'pool/{image_id}.png'


def test_images_are_listed_once_however_many_there_are(work_dir, monkeypatch):
    listed, original = [], os.scandir
    monkeypatch.setattr(os, 'scandir', lambda *args: [listed.append(args), original(*args)][1])
    request = read_request(work_dir)
    request.image_file('c')
    assert listed
    listed.clear()
    for image_id in IDS:
        assert request.image_file(image_id).name == f'{image_id.split("/")[-1]}.png'
    assert not listed


def test_without_a_folder_for_people_there_is_nothing_to_export(tmp_path):
    make_run(tmp_path, people=False)
    with pytest.raises(UserError, match='has no request folders: its oracle does not ask'):
        read_request(tmp_path)


def test_only_a_round_that_waits_is_taken(tmp_path):
    store = make_run(tmp_path)
    with pytest.raises(UserError, match='has no round 1: round 0 waits for answers'):
        read_request(tmp_path, 1)
    notes = dict(classes=class_counts(truth('c'), 4))
    store.write_answer(0, ((i, truth(i), notes) for i in IDS), {})
    with pytest.raises(UserError, match='no round waits for answers; give .* with --round to'):
        read_request(tmp_path)
    assert read_request(tmp_path, 0).number == 0  # to correct what was answered
    with pytest.raises(UserError, match=r'holds neither rounds/ nor requests/'):
        read_request(tmp_path / 'pool')


def test_whoever_imports_into_a_closed_round_is_told(work_dir, monkeypatch):
    folder, store = work_dir / 'annotation/round_000', RoundStore(work_dir / 'rounds')
    monkeypatch.chdir(work_dir / 'annotation')
    sources = work_dir, folder, Path('round_000')
    for source in sources:
        assert closed_notice(source, read_request(source)) == ''
    store.write_answer(0, ((i, truth(i), {}) for i in IDS), {})
    for source in sources:
        text = closed_notice(source, read_request(source, 0))
        assert text == (
            'round 0 is closed: the run goes on with the answers that it read then, until you '
            f'run: python tools/active_learning/amend.py {work_dir} --round 0'
        )
    (work_dir / 'elsewhere').mkdir()
    folder.rename(work_dir / 'elsewhere/round_000')  # no folder of this run any more
    source = work_dir / 'elsewhere/round_000'
    assert closed_notice(source, read_request(source)) == ''


def test_what_was_altered_or_exchanged_is_refused(work_dir, tmp_path_factory):
    path = work_dir / 'annotation/round_000/requests/c.png'
    content = path.read_bytes()
    path.write_bytes((work_dir / 'annotation/round_000/requests/city/a.png').read_bytes())
    with pytest.raises(StoreError, match=r'requests/c\.png was altered'):
        read_request(work_dir).mask('c')
    path.write_bytes(content)
    (work_dir / 'annotation/round_000/images/c.png').unlink()
    with pytest.raises(UserError, match=r'images/c\.\* is missing'):
        next(read_request(work_dir).asked_images())
    other = tmp_path_factory.mktemp('other')
    make_run(other, asked={image_id: np.ones(SIZE, bool) for image_id in IDS})
    (work_dir / 'annotation/round_000').rename(work_dir / 'away')
    (other / 'annotation/round_000').rename(work_dir / 'annotation/round_000')
    with pytest.raises(UserError, match='was not written for round 0'):
        read_request(work_dir)


@pytest.mark.parametrize(
    ('name', 'image_id'),
    [
        ('city/a.png', 'city/a'),
        ('city/b.left.jpg', 'city/b.left'),
        ('city/b.left', 'city/b.left'),
        ('images/city/a.png', 'city/a'),
        ('images\\city\\a.png', 'city/a'),
        ('a.png', None),
        ('city/b.png', None),
    ],
)
def test_names_of_tools_are_matched(waiting, name, image_id):
    assert waiting.match(name) == image_id


def test_the_longest_name_is_matched_first():
    request = BareRequest(dict.fromkeys(('b', 'a/b'), np.ones((2, 2), bool)))
    assert request.match('x/a/b.png') == 'a/b'
    assert request.match('x/c/b.png') == 'b'
