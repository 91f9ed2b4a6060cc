"""Files of an export, however it is packed."""

import zipfile

import pytest

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
