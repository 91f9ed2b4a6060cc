"""Files of an export, however it is packed."""

import zipfile

import numpy as np
import pytest

from mmseg_tsf.active_learning.exchange import tool_export
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport
from mmseg_tsf.utils.errors import UserError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'export/task').mkdir(parents=True)
    (tmp_path / 'export/task/a.json').write_text('[1]')
    (tmp_path / 'export/.DS_Store').write_text('')
    return tmp_path / 'export'


@pytest.fixture
def archive(tmp_path):
    with zipfile.ZipFile(tmp_path / 'export.zip', 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('task/a.json', '[1]' + ' ' * 100)
        file.writestr('__MACOSX/task/._a.json', 'x')
    return tmp_path / 'export.zip'


def test_a_folder_an_archive_and_a_file_are_read_alike(folder, archive):
    for path, name in (
        (folder, 'task/a.json'),
        (archive, 'task/a.json'),
        (folder / 'task/a.json', 'a.json'),
    ):
        export = ToolExport(path)
        assert export.names == [name]
        assert export.only('.json', 'x') == name
        assert export.read(name).strip() == b'[1]'
        assert export.json('x') == [1]


def test_what_is_missing_or_manifold_is_said(folder, tmp_path):
    with pytest.raises(UserError, match='nowhere is missing: give the file or folder'):
        ToolExport(tmp_path / 'nowhere')
    with pytest.raises(UserError, match=r'holds 0 files that end in \.xml, but CVAT has one'):
        ToolExport(folder).only('.xml', 'CVAT')
    (folder / 'manifest.json').write_text('{}')
    assert ToolExport(folder).json('COCO') == [1]
    (folder / 'b.JSON').write_text('')
    with pytest.raises(UserError, match='holds 2 files'):
        ToolExport(folder).json('COCO')


def test_a_damaged_archive_is_refused(archive):
    content = bytearray(archive.read_bytes())
    at = content.index(b'task/a.json') + len('task/a.json') + 2
    content[at] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(UserError, match=r'export\.zip is damaged: export it again'):
        ToolExport(archive).read('task/a.json')


def pack(path, files, **options):
    with zipfile.ZipFile(path, 'w', **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_archives_of_every_desktop_are_read(tmp_path):
    files = {
        'export\\masks\\a.png': 'a',  # Windows
        'export/b.png': 'b',
        '__MACOSX/export/._b.png': 'x',
        'export/.DS_Store': 'x',
        'export/Thumbs.db': 'x',
        '/abs/ä.png': 'c',
    }
    export = ToolExport(pack(tmp_path / 'a.zip', files))
    assert export.names == ['abs/ä.png', 'export/b.png', 'export/masks/a.png']
    assert export.read('export/masks/a.png') == b'a' and export.read('abs/ä.png') == b'c'
    for kind in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = pack(tmp_path / 'b.zip', {'a.json': '[1]'}, compression=kind)
        assert ToolExport(path).json('x') == [1]


def test_names_in_utf_8_are_known_without_their_flag(tmp_path):
    content = bytearray(pack(tmp_path / 'a.zip', {'ä/ß.png': 'x', 'b.png': 'y'}).read_bytes())
    content[7] &= ~8  # of the local header
    content[content.index(b'PK\1\2') + 9] &= ~8  # of the directory
    (tmp_path / 'a.zip').write_bytes(content)
    export = ToolExport(tmp_path / 'a.zip')
    assert export.names == ['b.png', 'ä/ß.png'] and export.read('ä/ß.png') == b'x'


@pytest.mark.parametrize(
    ('offset', 'value', 'message'),
    [
        (8, 9, 'x.json is compressed in a way that Python cannot read .such as Deflate64.: unpack'),
        (6, 1, 'x.json is encrypted: pack the export without a password'),
    ],
)
def test_archives_that_cannot_be_read_say_why(tmp_path, offset, value, message):
    path = pack(tmp_path / 'a.zip', {'x.json': '[1]'})
    content = bytearray(path.read_bytes())
    content[offset] = value  # of the local header
    content[content.index(b'PK\1\2') + offset + 2] = value  # of the directory
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        ToolExport(path).json('x')


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_a_name_that_stands_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
        archive.writestr('b/a.png', 'x')
        archive.writestr('b\\a.png', 'y')
    with pytest.raises(UserError, match=r'a\.zip holds b/a\.png 2 times: pack it again'):
        ToolExport(tmp_path / 'a.zip')


def test_exports_have_limits(tmp_path, monkeypatch):
    bomb = pack(tmp_path / 'a.zip', {'a.json': bytes(5 << 20)}, compression=zipfile.ZIP_DEFLATED)
    (tmp_path / 'b.json').write_bytes(bytes(5 << 20))
    monkeypatch.setattr(tool_export, 'MAX_BYTES', 4 << 20)
    for path in (bomb, tmp_path / 'b.json'):
        with pytest.raises(UserError, match='json has more than 4 MiB: export fewer images at a'):
            ToolExport(path).json('x')
    monkeypatch.setattr(tool_export, 'MAX_FILES', 2)
    many = pack(tmp_path / 'c.zip', dict.fromkeys('abc', ''))
    for path in (many, tmp_path):
        with pytest.raises(UserError, match='holds more than 2 files: give the folder of the exp'):
            ToolExport(path)


def test_any_damage_of_an_archive_is_one_error(tmp_path):
    content = pack(
        tmp_path / 'a.zip', {'a.json': '[1]', 'b/c.png': 'x' * 99}, compression=zipfile.ZIP_DEFLATED
    ).read_bytes()
    rng, ends = np.random.default_rng(0), []
    for _ in range(150):
        changed = bytearray(content[: rng.integers(1, len(content) + 1)] or content)
        if rng.random() < 0.8:
            changed = bytearray(content)
        for at in rng.integers(0, len(changed), rng.integers(1, 4)):
            changed[at] ^= 1 << rng.integers(8)
        (tmp_path / 'a.zip').write_bytes(changed)
        try:
            export = ToolExport(tmp_path / 'a.zip')
            ends.append([export.read(name) for name in export.names] and 'read')
        except UserError as error:
            ends.append('refused')
            assert str(error).startswith(str(tmp_path))
    assert {'read', 'refused'} <= set(ends)
