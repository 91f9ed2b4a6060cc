"""Files that an annotation tool has exported: one file, a folder, or a zip archive."""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

from ...utils.errors import UserError
from ...utils.files import MANIFEST
from .readers.documents import MAX_BYTES, parse_json
from .readers.values import brief

MAX_FILES = 500_000
"""Largest number of files in an export."""
UTF_8 = 0x800
"""Flag of a file in an archive whose name is in UTF-8."""
DAMAGES = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, OverflowError,
    struct.error, LookupError, TypeError, AttributeError,
)  # fmt: skip
"""What :mod:`zipfile` raises for a damaged archive."""


class ToolExport:
    """A file, folder or zip archive that a tool has written.

    Archives may have been packed on any system: folders may be separated by backslashes, stand
    below a folder of their own, and come with the litter of a desktop.

    Args:
        path: Path of the export.

    Attributes:
        path: Path of the export.
        names: Names of its files, with ``/`` between folders; a single file has its own name.

    Raises:
        UserError: The path does not exist, or the archive is damaged or holds a name twice.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._archive = path, None
        if path.is_dir():
            files = {name: name for name in _walk(path)}
        elif not path.is_file():
            raise UserError(f'{path} is missing: give the file or folder of the export')
        elif zipfile.is_zipfile(path):
            files = self._open()
        else:
            files = {path.name: path.name}
        self._stored = {name: file for name, file in files.items() if not _is_litter(name)}
        self.names = sorted(self._stored)

    def read(self, name: str) -> bytes:
        """Content of one of the files.

        Raises:
            UserError: The file cannot be read, is encrypted or larger than a limit, or the archive
                is damaged.
        """
        where = f'{self.path}: {brief(name)}'
        if self._archive is not None:
            return self._unpack(self._stored[name], where)
        path = self.path / name if self.path.is_dir() else self.path
        try:
            if path.stat().st_size > MAX_BYTES:
                raise UserError(_too_large(where))
            return path.read_bytes()
        except OSError as error:
            raise UserError(f'{where} cannot be read: {error.strerror}') from None

    def only(self, suffix: str, what: str) -> str:
        """Name of the only file with a suffix, apart from the manifest of a package.

        Args:
            suffix: Suffix in lower case, such as ``'.xml'``.
            what: Name of the expected export, for the error message.

        Raises:
            UserError: There is no such file, or there are several.
        """
        found = [
            name
            for name in self.names
            if name.lower().endswith(suffix) and name.rpartition('/')[2] != MANIFEST
        ]
        if len(found) != 1:
            raise UserError(
                f'{self.path} holds {len(found)} files that end in {suffix}, but {what} has one: '
                'give the export as the tool wrote it'
            )
        return found[0]

    def json(self, what: str) -> object:
        """Content of the only JSON file, see :meth:`only`.

        Raises:
            UserError: There is no such file, there are several, or it is not JSON.
        """
        name = self.only('.json', what)
        return parse_json(self.read(name), f'{self.path}: {brief(name)}')

    def manifests(self) -> list[tuple[str, bytes]]:
        """Manifests of packages in the export or around a folder: their place and content."""
        names = [name for name in self.names if name.rpartition('/')[2] == MANIFEST]
        found = [(f'{self.path}: {brief(name)}', self.read(name)) for name in names]
        around = self.path.resolve().parent / MANIFEST
        if self.path.is_dir() and not found and around.is_file():
            found.append((str(around), ToolExport(around).read(MANIFEST)))
        return found

    def _open(self) -> dict[str, str]:
        """Opens the archive; returns the stored name of each file."""
        try:
            self._archive = zipfile.ZipFile(self.path)
            infos = [info for info in self._archive.infolist() if not info.is_dir()]
        except (NotImplementedError, RuntimeError, *DAMAGES):
            raise UserError(f'{self.path} is damaged: export it again') from None
        if len(infos) > MAX_FILES:
            raise UserError(_too_many(self.path))
        names = [_name_of(info).replace('\\', '/').lstrip('/') for info in infos]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise UserError(
                f'{self.path} holds {brief(min(twice))} {Counter(names)[min(twice)]} times: pack '
                'it again with each file once'
            )
        pairs = zip(names, infos, strict=True)
        return {name: info.filename for name, info in pairs if name[-1:] != '/'}

    def _unpack(self, stored: str, where: str) -> bytes:
        try:
            info = self._archive.getinfo(stored)
            if info.flag_bits & 1:
                raise UserError(f'{where} is encrypted: pack the export without a password')
            if info.file_size > MAX_BYTES:
                raise UserError(_too_large(where))
            with self._archive.open(info) as file:
                content = file.read(MAX_BYTES + 1)
        except UserError:
            raise
        except NotImplementedError:
            raise UserError(
                f'{where} is compressed in a way that Python cannot read (such as Deflate64): '
                'unpack the archive and give its folder'
            ) from None
        except (RuntimeError, *DAMAGES):
            raise UserError(f'{self.path} is damaged: export it again') from None
        if len(content) > MAX_BYTES:
            raise UserError(_too_large(where))
        return content


def _name_of(info: zipfile.ZipInfo) -> str:
    """Name in an archive; some systems write UTF-8 without saying so."""
    if info.flag_bits & UTF_8:
        return info.filename
    try:
        return info.filename.encode('cp437').decode('utf-8')
    except UnicodeError:
        return info.filename


def _walk(folder: Path) -> list[str]:
    """Names of the files below a folder; links to folders are not followed."""
    names = []
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_litter(name)]
        names += [Path(path, name).relative_to(folder).as_posix() for name in files]
        if len(names) > MAX_FILES:
            raise UserError(_too_many(folder))
    return [name for name in names if (folder / name).is_file()]


def _is_litter(name: str) -> bool:
    """Whether the desktop created a file, and not the tool."""
    return any(
        folder.startswith('.') or folder in ('__MACOSX', 'Thumbs.db', 'desktop.ini')
        for folder in name.split('/')
    )


def _too_many(path: Path) -> str:
    return f'{path} holds more than {MAX_FILES:,} files: give the folder of the export alone'


def _too_large(where: str) -> str:
    return f'{where} has more than {MAX_BYTES >> 20} MiB: export fewer images at a time'
