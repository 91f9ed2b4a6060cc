"""``verify`` names every file that is missing, foreign or altered."""

import shutil

import pytest
from stores import make_store, write_request

from mmseg_tsf.active_learning import RoundStore, verify


@pytest.fixture
def root(tmp_path):
    store = make_store(tmp_path / 'rounds', answered=2, labels=True)
    write_request(store, 2)
    with store.lock():
        pass
    assert verify(store) == []
    return store.root


def paths(root):
    return sorted(p for p in root.rglob('*') if p.is_file() and p.name != '.lock')


def named(path, problems) -> bool:
    return any(str(path.parent) in text and path.name in text for text in problems)


def test_one_flipped_bit_anywhere(root):
    used = RoundStore(root)
    assert verify(used) == []
    for path in paths(root):
        content = path.read_bytes()
        for at in (0, len(content) // 2, len(content) - 2):
            spoiled = bytearray(content)
            spoiled[at] ^= 1
            path.write_bytes(spoiled)
            assert named(path, verify(used)), (path, at)
        path.write_bytes(content)
    assert verify(used) == []


def test_one_damage_is_named_once(root):
    path = root / 'round_000/answer/manifest.json'
    path.write_bytes(path.read_bytes() + b' ')
    problems = verify(RoundStore(root))
    assert len([text for text in problems if str(path) in text]) == 1


def test_every_missing_file(root):
    for path in paths(root):
        content = path.read_bytes()
        path.unlink()
        assert named(path, verify(RoundStore(root))), path
        path.write_bytes(content)


def test_every_foreign_file_and_folder(root):
    folders = [root, *(p for p in root.rglob('*') if p.is_dir())]
    for folder in folders:
        stray = folder / 'stray.png'
        stray.write_bytes(b'x')
        assert [p for p in verify(RoundStore(root)) if 'foreign' in p] == [f'{stray} is foreign']
        stray.unlink()


def test_missing_folders(root):
    shutil.rmtree(root / 'round_000/answer')
    assert f'{root}/round_000/answer is missing' in verify(RoundStore(root))
    shutil.rmtree(root / 'round_000')
    assert f'{root}/round_000 is missing' in verify(RoundStore(root))
    shutil.rmtree(root / 'round_001/request')
    assert f'{root}/round_001/request is missing' in verify(RoundStore(root))


@pytest.mark.parametrize('part', ['request', 'answer', ''])
def test_parts_of_two_rounds_exchanged(root, part):
    first, second = root / 'round_000' / part, root / 'round_001' / part
    first.rename(root.parent / 'aside')
    second.rename(first)
    (root.parent / 'aside').rename(second)
    assert any('one was exchanged' in text for text in verify(RoundStore(root)))


def test_what_a_killed_run_left_is_no_problem(root):
    for folder in (root, root / 'labels', root / 'round_002'):
        left = folder / ('.answer.' + '0' * 32)
        left.mkdir()
        (left / 'a.png').write_bytes(b'')
    assert verify(RoundStore(root)) == []


def test_a_folder_without_a_campaign(tmp_path):
    (text,) = verify(RoundStore(tmp_path / 'none'))
    assert 'campaign.json is missing' in text
