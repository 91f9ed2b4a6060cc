"""Sealed folders: all or nothing, and nothing changes unnoticed."""

import errno
import os
from pathlib import Path

import pytest
from stores import REFUSED, in_child

from mmseg_tsf.utils import files, locks
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.files import SealedFolder, StoreError, seal, write_file
from mmseg_tsf.utils.locks import lock


def make(path, inside=''):
    with seal(path, inside) as writer:
        writer.add('a/b.txt', b'one')
        writer.add('c.txt', b'two')
        writer.info = dict(round=3)
    return SealedFolder(path / inside)


def test_what_is_sealed_is_read_back(tmp_path):
    folder = make(tmp_path / 'x')
    assert folder.read('a/b.txt') == b'one'
    assert folder.manifest['round'] == 3
    assert sorted(folder.manifest['files']) == ['a/b.txt', 'c.txt']
    assert folder.problems() == []
    assert [p.name for p in tmp_path.iterdir()] == ['x']


def test_files_that_may_not_be_read_are_named(tmp_path, monkeypatch):
    make(tmp_path / 'x')

    def refuse(path):
        raise PermissionError(13, 'Permission denied', str(path))

    monkeypatch.setattr(Path, 'read_bytes', refuse)
    with pytest.raises(StoreError, match='manifest.json cannot be read: give your account'):
        SealedFolder(tmp_path / 'x')
    monkeypatch.undo()
    (tmp_path / 'file').touch()
    with pytest.raises(StoreError, match='file/manifest.json is missing'):
        SealedFolder(tmp_path / 'file')


def test_a_folder_inside_is_sealed_alone(tmp_path):
    make(tmp_path / 'x', 'request')
    assert [p.name for p in (tmp_path / 'x').iterdir()] == ['request']


def test_nothing_is_overwritten(tmp_path):
    make(tmp_path / 'x')
    with pytest.raises(StoreError, match='exists already'):
        make(tmp_path / 'x')


def test_every_change_is_named(tmp_path):
    folder = make(tmp_path / 'x')
    (tmp_path / 'x/a/b.txt').write_bytes(b'onE')
    (tmp_path / 'x/c.txt').unlink()
    (tmp_path / 'x/a/new.txt').write_bytes(b'')
    assert folder.problems() == [
        f'{tmp_path}/x/a/b.txt was altered',
        f'{tmp_path}/x/c.txt is missing',
        f'{tmp_path}/x/a/new.txt is foreign',
    ]
    with pytest.raises(StoreError, match='b.txt was altered'):
        folder.read('a/b.txt')
    with pytest.raises(StoreError, match='c.txt is missing'):
        folder.read('c.txt')
    with pytest.raises(StoreError, match='new.txt was altered'):
        folder.read('a/new.txt')


@pytest.mark.parametrize('name', ['manifest.json', 'manifest.sha256'])
def test_an_altered_or_missing_manifest_is_refused(tmp_path, name):
    make(tmp_path / 'x')
    path = tmp_path / 'x' / name
    content = path.read_bytes()
    path.write_bytes(content.replace(content[-3:-2], b'#'))
    with pytest.raises(StoreError, match='manifest.json was altered'):
        SealedFolder(tmp_path / 'x')
    path.unlink()
    with pytest.raises(StoreError, match=f'{name} is missing'):
        SealedFolder(tmp_path / 'x')


def test_an_exception_inside_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), seal(tmp_path / 'x') as writer:
        writer.add('a.txt', b'one')
        raise KeyError('oracle')
    assert list(tmp_path.iterdir()) == []


def test_readers_see_the_old_content_or_the_new(tmp_path, monkeypatch):
    path = tmp_path / 'log'
    write_file(path, b'old')
    sync = os.fsync

    def full(descriptor):
        sync(descriptor)
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(StoreError, match='disk is full'):
        write_file(path, b'new')
    monkeypatch.undo()
    assert path.read_bytes() == b'old'
    assert [p.name for p in tmp_path.iterdir()] == ['log']
    write_file(path, b'new')
    assert path.read_bytes() == b'new'


def test_the_disk_is_what_a_tool_complains_of(tmp_path, monkeypatch, capsys):
    """Not the system's own exception behind it."""
    monkeypatch.setattr(
        files, '_write_synced', lambda *_: files.Path('/dev/full').write_bytes(b'x')
    )
    with pytest.raises(SystemExit):
        run_tool(lambda: make(tmp_path / 'x'))
    error = capsys.readouterr().err
    assert 'x cannot be written: the disk is full: make room, then resume' in error
    assert error.count('\n') == 1


def test_other_errors_under_the_lock_are_not_the_lock_s(tmp_path):
    with pytest.raises(OSError, match='elsewhere'), lock(tmp_path / '.lock'):
        raise OSError(errno.ENOSPC, 'elsewhere')


def test_the_second_process_is_refused_until_the_first_ends(tmp_path):
    path = tmp_path / 'rounds' / '.lock'

    def take():
        with lock(path):
            pass

    with lock(path):
        assert in_child(take) == REFUSED
    assert in_child(take) == 0


def test_a_worker_that_outlives_a_killed_run_does_not_hold_its_lock(tmp_path):
    end_of_worker, write_end = os.pipe()

    def run():
        with lock(tmp_path / '.lock'):
            if os.fork() == 0:  # as a loader's worker, which notices later
                os.close(write_end)
                os.read(end_of_worker, 1)
            os._exit(9)

    try:
        assert in_child(run) == 9
        with lock(tmp_path / '.lock'):
            pass
    finally:
        os.close(write_end)
        os.close(end_of_worker)


@pytest.mark.parametrize('code', [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EIO])
def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, code):
    """As network file systems answer that are mounted without them."""

    def refuse(*args):
        raise OSError(code, os.strerror(code))

    (tmp_path / '.lock').touch()
    monkeypatch.setattr(locks.fcntl, 'lockf', refuse)
    sentence = r'\.lock cannot be locked \(.*\), so two runs could spoil each other: give a --work-'
    with pytest.raises(StoreError, match=sentence), lock(tmp_path / '.lock'):
        pass
    with pytest.raises(StoreError, match=sentence):
        locks.check_unlocked(tmp_path / '.lock')


def test_a_damaged_record_is_copied_before_it_is_replaced(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(files, 'print_log', lambda text, *_: said.append(text))
    path = tmp_path / 'record.json'
    for content, name in ((b'a', 'record.json.damaged'), (b'b', 'record.json.damaged_2')):
        path.write_bytes(content)
        files.set_aside(path, 'it is broken')
        assert path.read_bytes() == (tmp_path / name).read_bytes() == content
    assert said[1] == (
        'it is broken; the run goes on without it, and the file is kept as record.json.damaged_2'
    )
