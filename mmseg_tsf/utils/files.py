"""Files and folders that are written completely or not at all, and checked when they are read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from mmengine.logging import print_log

from .errors import StoreError, explain_disk_errors
from .inside import check_inside

MANIFEST, SEAL = 'manifest.json', 'manifest.sha256'


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 digest of the content of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_file(path: Path, content: bytes, tail: bytes = b'') -> None:
    """Replaces a file in one step: readers see the old content or the new, never a part of it.

    Args:
        path: The file; its folder is made if it is missing.
        content: New content.
        tail: Further content, for callers that need not copy a large ``content``.

    Raises:
        StoreError: The disk rejects the write.
    """
    temporary = aside(path)
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_synced(temporary, content, tail)
            os.replace(temporary, path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path) -> None:
    """Renames a finished temporary file once all of it is on the disk."""
    with open(temporary, 'rb') as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(path.parent)


def set_aside(path: Path, why: str) -> None:
    """Copies a damaged file that is a mere record, so that it can be replaced, and warns of it.

    Args:
        path: The file; its copy gets the suffix ``.damaged``, ``.damaged_2`` and so on.
        why: What is wrong with it, for the warning.
    """
    names = (f'{path.name}.damaged{suffix}' for suffix in ('', *map('_{}'.format, range(2, 1000))))
    target = next(path.with_name(n) for n in names if not path.with_name(n).exists())
    write_file(target, path.read_bytes())
    text = f'{why}; the run goes on without it, and the file is kept as {target.name}'
    print_log(text, 'current', logging.WARNING)


def aside(path: Path) -> Path:
    """Temporary path beside a file or folder; see :func:`is_leftover`."""
    return path.with_name(f'.{path.name}.{uuid.uuid4().hex}')


class SealedFolder:
    """Read-only folder with a manifest of its files and their SHA-256 digests.

    Attributes:
        path: Path of the folder.
        manifest: Content of ``manifest.json``; ``files`` maps relative paths to digests.
        digest: SHA-256 digest of the manifest.

    Raises:
        StoreError: The manifest is missing or altered.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        content = self._read(MANIFEST)
        self.digest = hashlib.sha256(content).hexdigest()
        if self._read(SEAL).decode(errors='replace').strip() != self.digest:
            raise StoreError(
                f'{self.path / MANIFEST} was altered after it was written (its digest is not the '
                f'one in {SEAL}): restore the folder from a copy'
            )
        self.manifest = self._parse(content)

    def _parse(self, content: bytes) -> dict:
        try:
            manifest = json.loads(content)
            names = list(manifest['files'])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise StoreError(f'{self.path / MANIFEST} is no manifest: restore the folder') from None
        check_inside(names, self.path / MANIFEST)
        return manifest

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(
                f'{self.path / name} is missing: restore the folder from a copy'
            ) from None
        except PermissionError:
            raise StoreError(
                f'{self.path / name} cannot be read: give your account permission to read it'
            ) from None

    def read(self, name: str) -> bytes:
        """Content of a file, given its relative path.

        Raises:
            StoreError: The file is missing or altered.
        """
        content = self._read(name)
        if hashlib.sha256(content).hexdigest() != self.manifest['files'].get(name):
            raise StoreError(
                f'{self.path / name} was altered after it was written: restore it from a copy'
            )
        return content

    def damage(self) -> list[str]:
        """Missing, unreadable and altered files, one sentence each."""
        found = []
        for name, digest in self.manifest['files'].items():
            path = self.path / name
            try:
                if not path.is_file():
                    found.append(f'{path} is missing')
                elif sha256(path) != digest:
                    found.append(f'{path} was altered')
            except OSError as error:
                found.append(f'{path} cannot be read: {error.strerror}')
        return found

    def problems(self) -> list[str]:
        """Missing, altered and foreign files, and links, one sentence each."""
        known = {*self.manifest['files'], MANIFEST, SEAL}
        links = [f'{p} is a link' for p in sorted(self.path.rglob('*')) if p.is_symlink()]
        present = (p for p in self.path.rglob('*') if not p.is_dir())
        names = sorted(p.relative_to(self.path).as_posix() for p in present)
        foreign = [f'{self.path / name} is foreign' for name in names if name not in known]
        return self.damage() + foreign + links


class FolderWriter:
    """Writer of the files of a :class:`SealedFolder`; see :func:`seal`.

    Args:
        path: Temporary folder.
        synced: Whether files are on the disk when they are written; without it a power cut may
            take them, which is enough for what can be made again.

    Attributes:
        path: Temporary folder.
        files: Digests by relative path.
        info: Further entries of the manifest.
    """

    def __init__(self, path: Path, synced: bool = True) -> None:
        self.path, self.synced = path, synced
        self.files: dict[str, str] = {}
        self.info: dict = {}

    def add(self, name: str, content: bytes) -> None:
        """Writes a file.

        Args:
            name: Path relative to the folder.
            content: Content of the file.

        Raises:
            StoreError: The path leads out of the folder.
        """
        check_inside([name], self.path)
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.synced:
            _write_synced(path, content)
        else:
            path.write_bytes(content)
        self.files[name] = hashlib.sha256(content).hexdigest()

    def close(self) -> None:
        """Writes the manifest and its digest."""
        content = json.dumps({**self.info, 'files': self.files}, indent=1, sort_keys=True).encode()
        _write_synced(self.path / MANIFEST, content)
        _write_synced(self.path / SEAL, hashlib.sha256(content).hexdigest().encode())


@contextlib.contextmanager
def seal(path: Path, inside: str = '') -> Iterator[FolderWriter]:
    """Writes a :class:`SealedFolder` under a temporary name and renames it when it is complete.

    Args:
        path: Final folder; must not exist.
        inside: Relative path of a folder in it that becomes the sealed one.

    Raises:
        StoreError: The folder exists already, or the disk rejects the write.
    """
    if path.exists():
        raise StoreError(f'{path} exists already and is never overwritten')
    temporary = aside(path)
    with explain_disk_errors(path):
        try:
            (temporary / inside).mkdir(parents=True)
            writer = FolderWriter(temporary / inside)
            yield writer
            writer.close()
            for folder, _, _ in os.walk(temporary):
                _sync_folder(Path(folder))
            os.rename(temporary, path)
            _sync_folder(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def is_leftover(path: Path) -> bool:
    """Whether a path is the unfinished temporary file or folder of a killed process."""
    return re.fullmatch(r'\..+\.[0-9a-f]{32}', path.name) is not None


def remove_leftovers(folder: Path) -> None:
    """Deletes the leftovers of killed processes in a folder; call it under the lock."""
    for path in filter(is_leftover, folder.glob('.*')):
        remove(path)


def remove(path: Path) -> None:
    """Deletes a file or folder.

    Raises:
        StoreError: The disk rejects the deletion.
    """
    with explain_disk_errors(path):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _write_synced(path: Path, content: bytes, tail: bytes = b'') -> None:
    with open(path, 'wb') as file:
        file.write(content)
        file.write(tail)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
