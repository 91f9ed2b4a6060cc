"""``verify`` names every file that is missing, foreign or altered."""

import hashlib
import json
import shutil

import pytest
from stores import make_store, write_request
from tool_loader import load_tool

from mmseg_tsf.active_learning import RoundStore, StoreError, check_rounds, verify
from mmseg_tsf.utils.files import MANIFEST, SEAL


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


def rewrite(folder, change) -> None:
    """Changes a manifest as someone would who hands a store on, with the right digest."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    found = change(manifest)
    content = json.dumps(manifest if found is None else found).encode()
    (folder / MANIFEST).write_bytes(content)
    (folder / SEAL).write_text(hashlib.sha256(content).hexdigest())


def rename(folder, old, new) -> None:
    """Gives an image of an answer another id, in the manifest alone."""

    def change(manifest):
        manifest['images'][new] = manifest['images'].pop(old)
        manifest['files'][f'labels/{new}.png'] = manifest['files'].pop(f'labels/{old}.png')

    rewrite(folder, change)


LEAVING = [
    '../../../../out', '/tmp/out', 'a/../../../../out', '..', 'a\\..\\..\\out', 'C:\\out',
    'C:/out', 'a\0b', '', '/',
]  # fmt: skip


@pytest.mark.parametrize('image_id', LEAVING)
@pytest.mark.parametrize('part', ['images', 'files'])
def test_received_ids_stay_in_their_folder(root, tmp_path, image_id, part, monkeypatch):
    before = sorted(tmp_path.rglob('*'))
    if part == 'images':
        rename(root / 'round_001/answer', 'y', image_id)
    else:
        rewrite(root / 'round_001/answer', lambda m: m['files'].update({image_id: '0' * 64}))
    assert any('leads out of its folder' in text for text in verify(RoundStore(root)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match='leads out of its folder'):
        load_tool('active_learning/replay.py').main([str(tmp_path), '--round', '1', '-o', 'out'])
    with pytest.raises(StoreError, match='leads out of its folder'):
        RoundStore(root).answer(1)
    assert sorted(tmp_path.rglob('*')) == before


def test_ids_that_stay_inside_are_accepted(tmp_path):
    folder, old = make_store(tmp_path / 'rounds', answered=1).folder(0) / 'answer', 'y'
    for image_id in ('a..b', '12:30', 'a\\b', '...', 'ü/ß'):
        rename(folder, old, image_id)
        old = image_id
        assert image_id in RoundStore(tmp_path / 'rounds').answer(0).images


def test_links_are_named(root):
    outside = root.parent / 'outside'
    (root / 'round_001').rename(outside)
    (root / 'round_001').symlink_to(outside)
    file = root / 'round_000/answer/labels/y.png'
    file.rename(root.parent / 'y.png')
    file.symlink_to(root.parent / 'y.png')
    assert set(verify(RoundStore(root))) == {f'{root}/round_001 is a link', f'{file} is a link'}


CHANGES = dict(
    a_list=lambda m: [],
    a_text=lambda m: 'x',
    no_files=lambda m: {key: own for key, own in m.items() if key != 'files'},
    a_number_of_files=lambda m: dict(m, files=3),
    a_list_of_images=lambda m: dict(m, images=[]),
    a_list_of_notes=lambda m: dict(m, images=dict(y=[])),
    half_a_pixel=lambda m: dict(m, images=dict(y=dict(size=[6.5, 8]))),
    no_size=lambda m: dict(m, images=dict(y={})),
    no_round=lambda m: {key: own for key, own in m.items() if key != 'round'},
    a_named_round=lambda m: dict(m, round='x'),
    nothing_before=lambda m: {key: own for key, own in m.items() if key != 'previous'},
)


@pytest.mark.parametrize('name', CHANGES)
def test_a_manifest_of_something_else_is_named(root, name):
    rewrite(root / 'round_001/answer', CHANGES[name])
    assert any(f'{root}/round_001/answer' in text for text in verify(RoundStore(root)))
    with pytest.raises(StoreError, match='round_001/answer'):
        check_rounds(RoundStore(root))


def test_a_picture_with_the_right_digest_that_is_none(root):
    path = root / 'round_001/answer/labels/y.png'
    for content, size, text in (
        (path.read_bytes(), [6, 9], 'but its image is'),
        (b'text', [6, 8], 'not a complete PNG'),
    ):
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        rewrite(path.parents[1], lambda m, d=digest: m['files'].update({'labels/y.png': d}))
        rewrite(path.parents[1], lambda m, s=size: m['images']['y'].update(size=s))
        assert any(text in problem for problem in verify(RoundStore(root)))


def test_every_fault_of_a_run_is_listed_by_verify_and_status(root, capsys):
    faults = ['round_000/answer/labels/y.png', 'round_001/request/manifest.json',
              'round_002/request/masks/a/x.png']  # fmt: skip
    for name in faults:
        (root / name).write_bytes(b'x')
    line = '{"round": 0, "iter": 1, "state": "pending"}'
    (root.parent / 'active_learning.jsonl').write_text(f'{line}\nx\n{line}\n[1]\n')
    with pytest.raises(SystemExit) as stopped:
        load_tool('active_learning/verify.py').main([str(root.parent)])
    listed = capsys.readouterr().out
    assert stopped.value.code == 1
    with pytest.raises(StoreError) as refused:
        load_tool('active_learning/status.py').main([str(root.parent)])
    status = capsys.readouterr().err + str(refused.value)
    for name in faults:
        assert f'{root / name} ' in listed and f'{root / name} ' in status
    assert 'lines 2, 4 of' in listed and 'lines 2, 4 of' in status
    with pytest.raises(StoreError, match=r'\(\d more are listed by tools/active_learning/verify'):
        check_rounds(RoundStore(root))
