"""Requests are found in a run or in the folder for people."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from exchange_runs import CLASSES, IDS, SIZE, asked_masks, believed, make_run, truth

from mmseg_tsf.active_learning import RoundStore, StoreError
from mmseg_tsf.active_learning.exchange.request import closed_notice, read_request
from mmseg_tsf.active_learning.selection.clicks import class_counts
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.files import sha256


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


def rewrite(folder, change):
    """Changes the manifest of a folder, and its seal with it, as a sender of folders can."""
    path = folder / 'manifest.json'
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    (folder / 'manifest.sha256').write_text(sha256(path))


@pytest.mark.parametrize(
    'image_id', ['../../../x', '/etc/x', 'a/../../x', '..\\..\\x', 'a//x', './x', '', 'a\0b']
)
def test_ids_cannot_lead_out_of_the_folder(work_dir, image_id):
    folder = work_dir / 'annotation/round_000'
    rewrite(folder, lambda m: m['images'].update({image_id: dict(size=list(SIZE))}))
    with pytest.raises(StoreError, match='leads out of its folder: give a path inside'):
        read_request(folder)


@pytest.mark.parametrize(
    'entry',
    [
        dict(round='0'),
        dict(request=None),
        dict(classes=['a']),
        dict(classes={'0': 'a', '7': 'b'}),
        dict(classes={'0': None}),
        dict(images=[]),
        dict(images={'c': None}),
        dict(images={'c': dict(size=[1, 2, 3])}),
        dict(images={'c': dict(size=['1', 2])}),
    ],
)
def test_a_manifest_of_another_form_is_refused(work_dir, entry):
    folder = work_dir / 'annotation/round_000'
    rewrite(folder, lambda m: m.update(entry))
    with pytest.raises(
        StoreError,
        match='manifest.json (is not that|is of no round|has no images with sizes).*: restore',
    ):
        read_request(folder)


def test_an_image_exchanged_since_the_request_is_not_exported(work_dir):
    file = work_dir / 'pool/city/a.png'
    file.write_bytes((work_dir / 'pool/c.png').read_bytes())
    with pytest.raises(UserError, match=r'city/a\.png was exchanged.: restore them'):
        next(read_request(work_dir).asked_images())
