"""What a crash can leave of small programs, against what the file system promises."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mmseg_tsf.utils.crash_states import Recorder, different
from mmseg_tsf.utils.files import seal, write_file


def states_of(root: Path, program) -> dict[tuple, str]:
    """Contents of a folder without leftovers, each with one kind of crash that leads to it."""
    recorder = Recorder(root)
    with recorder.watch():
        program()
    found = {}
    for kind, _, tree in recorder.states:
        parts = {
            name: content
            for name, content in tree.items()
            if not any(part.startswith('.') for part in name.split('/'))
        }
        found.setdefault(tuple(sorted(parts.items())), kind)
    return found


def test_a_file_that_is_replaced_in_one_step_is_old_or_new(tmp_path):
    (tmp_path / 'a').write_bytes(b'old')
    found = states_of(tmp_path, lambda: write_file(tmp_path / 'a', b'content'))
    contents = {dict(state).get('a') for state in found}
    assert contents == {None, b'old', b'', bytes(3), b'content'}
    # the old one was never synced: those are its own states from before


def test_a_file_that_is_written_carelessly_is_found_torn_and_zeroed(tmp_path):
    def careless():
        with open(tmp_path / 'a', 'wb') as file:
            file.write(b'content')
        os.replace(tmp_path / 'a', tmp_path / 'b')

    found = states_of(tmp_path, careless)
    assert {dict(state).get('b') for state in found} == {None, b'', bytes(7), b'content'}
    assert found[('b', bytes(7)),] == 'power cut after the names'
    assert found[('a', b'con'),] == 'torn write'
    assert found[()] == 'power cut'  # the folder was never synced


def test_deletions_reach_the_disk_with_their_folder(tmp_path):
    for name in ('a', 'c/d'):
        write_file(tmp_path / name, b'old')

    def program():
        write_file(tmp_path / 'b', b'new')
        (tmp_path / 'a').unlink()
        shutil.rmtree(tmp_path / 'c')
        write_file(tmp_path / 'e', b'last')

    found = states_of(tmp_path, program)
    cut = [{name for name, _ in state} for state, kind in found.items() if kind == 'power cut']
    assert cut[-1] == {'b', 'e'} or {'b', 'e'} in [{name for name, _ in state} for state in found]
    assert {'a', 'b'} <= set.union(*cut)  # the deletion was not synced yet


def test_a_sealed_folder_is_there_in_full_or_not_at_all(tmp_path):
    def program():
        with seal(tmp_path / 'round') as writer:
            writer.add('masks/a.png', b'12345')
            writer.add('b', b'67')

    found = states_of(tmp_path, program)
    assert len(found) == 2
    for state in map(dict, found):
        names = {'round', 'round/b', 'round/manifest.json', 'round/manifest.sha256'}
        whole = names | {'round/masks', 'round/masks/a.png'}
        assert state.keys() in (set(), whole) and state.get('round/masks/a.png') in (None, b'12345')


def test_states_that_differ_in_leftovers_alone_are_one(tmp_path):
    name = '.round_000.' + 32 * 'a'
    trees = [
        {name: None, f'{name}/masks': None},
        {name: None, f'{name}/masks': None, f'{name}/masks/a': b'1'},
        {name: None},
        {},
    ]
    states = [('killed', i, tree) for i, tree in enumerate(trees)]
    assert [count for _, count, _ in different(states)] == [0, 3]
    assert [count for _, count, _ in different(states, leftovers=True)] == [0, 1, 2, 3]
