"""The labels that the training reads: only what changed is written, and all of it heals."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from stores import CAMPAIGN, SIZE, in_child, interrupt, make_store, snapshot

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.utils import files
from mmseg_tsf.utils.files import is_leftover


def images_of(number: int) -> list[str]:
    """Two images of each round are new, and one is of the round before."""
    return [f'a/{2 * number + i}' for i in range(3)]


def labels_of(number: int) -> np.ndarray:
    """``(H, W)`` uint8: a row for each round, a pixel of it void."""
    labels = np.full(SIZE, 255, np.uint8)
    labels[number, 1:] = number % 3
    return labels


def ask_and_answer(store: RoundStore, number: int) -> None:
    mask = np.zeros(SIZE, bool)
    mask[number] = True
    notes = dict(pixels=8, regions=1, clicks=1)
    store.write_request(number, ((i, mask, notes) for i in images_of(number)), {})
    store.write_answer(number, ((i, labels_of(number), {}) for i in images_of(number)), {})


def make(root, rounds: int) -> RoundStore:
    """A store with rounds and the labels of the last one."""
    store = RoundStore(root)
    store.open(CAMPAIGN, ())
    for number in range(rounds):
        ask_and_answer(store, number)
        store.label_folder(number)
    return store


def expected(number: int) -> dict[str, np.ndarray]:
    """The labels after a round, from their definition."""
    found = {}
    for own in range(number + 1):
        for image_id in images_of(own):
            labels = found.setdefault(image_id, np.full(SIZE, 255, np.uint8))
            labels[own] = labels_of(own)[own]
    return found


def assert_holds(folder, number: int) -> None:
    """Exactly the labels after a round, and manifests that fit."""
    names = {p.relative_to(folder).as_posix() for p in folder.rglob('*') if p.is_file()}
    wanted = expected(number)
    assert names == {'manifest.json', *(f'{image_id}.png' for image_id in wanted)}
    for image_id, labels in wanted.items():
        assert np.array_equal(np.array(Image.open(folder / f'{image_id}.png')), labels), image_id
    assert json.loads((folder / 'manifest.json').read_text())['round'] == number


def test_the_folder_holds_the_labels_of_the_wanted_round(tmp_path):
    store = make(tmp_path, 3)
    for number in (2, 0, 1, 1, 2):
        assert store.label_folder(number) == tmp_path / 'labels'
        assert_holds(tmp_path / 'labels', number)
        assert verify(store) == []
    assert_holds(RoundStore(tmp_path).label_folder(0), 0)


def test_only_what_changed_is_written_and_nothing_of_it_is_synced(tmp_path, monkeypatch):
    store, count = make(tmp_path, 4), dict(moved=0, synced=0)

    def counted(name, original):
        def step(*args):
            count[name] += 1
            return original(*args)

        return step

    monkeypatch.setattr(os, 'replace', counted('moved', os.replace))
    monkeypatch.setattr(os, 'fsync', counted('synced', os.fsync))
    before = {p: p.stat().st_ino for p in (tmp_path / 'labels').rglob('*.png')}
    ask_and_answer(store, 4)
    count.update(moved=0, synced=0)
    store.label_folder(4)
    # three images, and the manifest, which is synced with its folder and then moved
    assert count == dict(moved=3 + 2, synced=2)
    after = {p: p.stat().st_ino for p in (tmp_path / 'labels').rglob('*.png')}
    changed = [p.relative_to(tmp_path / 'labels').as_posix() for p in after if before.get(p)]
    same = [
        name
        for name in changed
        if before[tmp_path / 'labels' / name] == after[tmp_path / 'labels' / name]
    ]
    assert len(after) == 11 and len(same) == 8
    count.update(moved=0, synced=0)
    store.label_folder(4)
    RoundStore(tmp_path).label_folder(4)
    assert count == dict(moved=0, synced=0)


def test_files_are_read_once_per_process_and_records_of_changed_images_alone(tmp_path, monkeypatch):
    store, read = make(tmp_path, 4), []
    ask_and_answer(store, 4)
    original = files.SealedFolder.read
    monkeypatch.setattr(
        files.SealedFolder, 'read', lambda own, name: [read.append(name), original(own, name)][1]
    )
    monkeypatch.setattr(store._labels, '_digest', None)
    store.label_folder(4)
    masks = sorted(name for name in read if name.startswith('masks'))
    assert masks == ['masks/a/10.png', 'masks/a/8.png', 'masks/a/8.png', 'masks/a/9.png']


@pytest.mark.parametrize(('held', 'wanted'), [(0, 1), (1, 2), (2, 0), (None, 1)])
def test_a_run_killed_at_any_step_goes_on_to_the_same_labels(tmp_path, monkeypatch, held, wanted):
    killed, before = 0, make(tmp_path / 'before', 3)
    if held is None:
        shutil.rmtree(tmp_path / 'before/labels')
    else:
        before.label_folder(held)
    while True:
        root = tmp_path / str(killed)
        shutil.copytree(before.root, root)
        store = RoundStore(root)
        with monkeypatch.context() as patch:
            interrupt(patch, killed, lambda: os._exit(9))
            status = in_child(lambda store=store: store.label_folder(wanted))
        assert verify(RoundStore(root)) == []
        if status == 0:
            break
        killed += 1
        assert status == 9
        for number in (wanted, 2 if wanted == 0 else 0):  # go on, or back to a former checkpoint
            again = root.with_name(f'{root.name}_{number}')
            shutil.copytree(root, again)
            store = RoundStore(again)
            with store.lock():
                assert not any(is_leftover(p) for p in again.rglob('*'))
                store.label_folder(number)
            assert_holds(again / 'labels', number)
            assert verify(store) == []
    assert_holds(tmp_path / f'{killed}/labels', wanted)
    assert killed > 4


def test_what_a_power_cut_took_is_made_again(tmp_path):
    """The manifest has arrived on the disk, and some of the files have not."""
    make(tmp_path, 3)
    folder = tmp_path / 'labels'
    (folder / 'a/1.png').write_bytes(b'')
    (folder / 'a/2.png').unlink()
    said = 'the next start of the run makes it again from the rounds'
    assert verify(RoundStore(tmp_path)) == [
        f'{folder}/a/1.png was altered: {said}',
        f'{folder}/a/2.png is missing: {said}',
    ]
    RoundStore(tmp_path).label_folder(2)
    assert_holds(folder, 2)
    (folder / 'manifest.json').write_bytes(b'')
    assert verify(RoundStore(tmp_path))[0] == f'{folder}/manifest.json was altered: {said}'
    RoundStore(tmp_path).label_folder(2)
    assert_holds(folder, 2)


def test_strangers_go_and_do_not_stay_labels(tmp_path):
    store = make(tmp_path, 2)
    folder = tmp_path / 'labels'
    (folder / 'a/77.png').write_bytes((folder / 'a/0.png').read_bytes())
    assert store.label_problems() == [f'{folder}/a/77.png is foreign']
    RoundStore(tmp_path).label_folder(1)
    assert_holds(folder, 1)
    shutil.rmtree(folder)
    (folder / 'round_000').mkdir(parents=True)
    (folder / 'round_000/x.png').write_bytes(b'')
    (text, *_) = store.label_problems()
    assert f'{folder}/manifest.json is missing' in text
    store.label_folder(1)  # although this process knew the folder before
    assert_holds(folder, 1)


def test_labels_of_other_rounds_are_noticed_and_replaced(tmp_path):
    make(tmp_path / 'first', 2)
    other = make_store(tmp_path / 'other', answered=2, labels=True)
    shutil.rmtree(tmp_path / 'first/labels')
    shutil.copytree(tmp_path / 'other/labels', tmp_path / 'first/labels')
    (text,) = verify(RoundStore(tmp_path / 'first'))
    assert f'{tmp_path}/first/labels does not belong to its rounds' in text
    RoundStore(tmp_path / 'first').label_folder(1)
    assert_holds(tmp_path / 'first/labels', 1)
    assert verify(RoundStore(tmp_path / 'first')) == verify(other) == []
    shutil.rmtree(tmp_path / 'first/round_001')
    (text,) = verify(RoundStore(tmp_path / 'first'))
    assert 'labels does not belong to its rounds' in text


def test_the_loader_of_a_training_finds_each_file_whole_while_it_changes(tmp_path, monkeypatch):
    """At every step of an update, every label is that of the former round or of the new one."""
    store, replace = make(tmp_path, 2), os.replace
    ask_and_answer(store, 2)
    looks, folder = [], tmp_path / 'labels'

    def look(*args):
        for image_id, labels in expected(1).items():
            found = np.array(Image.open(folder / f'{image_id}.png'))
            new = expected(2)[image_id]
            assert np.array_equal(found, labels) or np.array_equal(found, new)
            looks.append(np.array_equal(found, labels))
        return replace(*args)

    monkeypatch.setattr(os, 'replace', look)
    store.label_folder(2)
    assert True in looks and False in looks
    assert snapshot(folder) == snapshot(make(tmp_path / 'whole', 3).label_folder(2))
