"""Files that an annotation tool has exported."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path

from ...utils.errors import UserError


class ToolExport:
    """A file, folder or zip archive that a tool has written.

    Args:
        path: Path of the export.

    Attributes:
        path: Path of the export.
        names: Names of its files, with ``/`` between folders; a single file has its own name.

    Raises:
        UserError: The path does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            files = (p for p in path.rglob('*') if p.is_file())
            names = [p.relative_to(path).as_posix() for p in files]
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if not name.endswith('/')]
        elif path.is_file():
            names = [path.name]
        else:
            raise UserError(f'{path} is missing: give the file or folder of the export')
        self.names = sorted(name for name in names if not _is_litter(name))

    def read(self, name: str) -> bytes:
        """Content of one of the files.

        Raises:
            UserError: The archive is damaged.
        """
        if self.path.is_dir():
            return (self.path / name).read_bytes()
        if self.path.name == name and not zipfile.is_zipfile(self.path):
            return self.path.read_bytes()
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise UserError(f'{self.path} is damaged: export it again') from None

    def only(self, suffix: str, what: str) -> str:
        """Name of the only file with a suffix.

        Args:
            suffix: Suffix in lower case, such as ``'.xml'``.
            what: Name of the expected export, for the error message.

        Raises:
            UserError: There is no such file, or there are several.
        """
        found = [name for name in self.names if name.lower().endswith(suffix)]
        if len(found) != 1:
            raise UserError(
                f'{self.path} holds {len(found)} files that end in {suffix}, but {what} has one: '
                'give the export as the tool wrote it'
            )
        return found[0]

    def json(self, what: str) -> object:
        """Content of the only JSON file.

        Raises:
            UserError: There is no such file, or it is not JSON.
        """
        name = self.only('.json', what)
        content = self.read(name)
        try:
            return json.loads(content)
        except ValueError:
            raise UserError(f'{self.path}: {name} is not JSON: export it again') from None


def _is_litter(name: str) -> bool:
    """Whether the desktop created a file, and not the tool."""
    return any(folder.startswith('.') or folder == '__MACOSX' for folder in name.split('/'))
