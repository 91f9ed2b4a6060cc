"""Writing that a crash can not leave half done, and reading that notices what has changed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import StoreError, explain_disk_errors

MANIFEST, SEAL = 'manifest.json', 'manifest.sha256'


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_file(path: Path, content: bytes) -> None:
    """Replaces a file in one step: readers see the old content or the new, never a part."""
    temporary = aside(path)
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_synced(temporary, content)
            os.replace(temporary, path)
            _sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path) -> None:
    """Gives a file that others have written its name, once all of it is on the disk."""
    with open(temporary, 'rb') as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(path.parent)


def aside(path: Path) -> Path:
    """A new name beside a file or folder, to write it under; see :func:`is_leftover`."""
    return path.with_name(f'.{path.name}.{uuid.uuid4().hex}')


class SealedFolder:
    """A folder of files with a manifest that names them and their sha256; never changed.

    Attributes:
        path: The folder.
        manifest: What its ``manifest.json`` says; ``files`` maps relative paths to digests.

    Raises:
        StoreError: The manifest is missing, altered or no JSON.
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
        self.manifest = json.loads(content)

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(
                f'{self.path / name} is missing: restore the folder from a copy'
            ) from None
        except PermissionError:
            raise StoreError(
                f'{self.path / name} may not be read: give your account the right to'
            ) from None

    def read(self, name: str) -> bytes:
        """Content of one of its files.

        Raises:
            StoreError: The file is missing or is not the one that was written.
        """
        content = self._read(name)
        if hashlib.sha256(content).hexdigest() != self.manifest['files'].get(name):
            raise StoreError(
                f'{self.path / name} was altered after it was written: restore it from a copy'
            )
        return content

    def damage(self) -> list[str]:
        """Every missing or altered file, one sentence each."""
        found = []
        for name, digest in self.manifest['files'].items():
            path = self.path / name
            if not path.is_file():
                found.append(f'{path} is missing')
            elif sha256(path) != digest:
                found.append(f'{path} was altered')
        return found

    def problems(self) -> list[str]:
        """Every missing, altered or foreign file, one sentence each."""
        known = {*self.manifest['files'], MANIFEST, SEAL}
        present = (p for p in self.path.rglob('*') if not p.is_dir())
        names = sorted(p.relative_to(self.path).as_posix() for p in present)
        foreign = [f'{self.path / name} is foreign' for name in names if name not in known]
        return self.damage() + foreign


class FolderWriter:
    """Collects the files of a :class:`SealedFolder` beside its final place; see :func:`seal`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, str] = {}
        self.info: dict = {}

    def add(self, name: str, content: bytes) -> None:
        """Writes a file; ``name`` is relative and may hold folders.

        Raises:
            StoreError: The name leads out of the folder.
        """
        path = self.path / name
        if '..' in path.parts[len(self.path.parts) :] or Path(name).is_absolute():
            raise StoreError(f'{name} leads out of {self.path.name}: give a name below it')
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(path, content)
        self.files[name] = hashlib.sha256(content).hexdigest()

    def close(self) -> None:
        """Writes the manifest and its seal."""
        content = json.dumps({**self.info, 'files': self.files}, indent=1, sort_keys=True).encode()
        _write_synced(self.path / MANIFEST, content)
        _write_synced(self.path / SEAL, hashlib.sha256(content).hexdigest().encode())


@contextlib.contextmanager
def seal(path: Path, inside: str = '') -> Iterator[FolderWriter]:
    """Writes a :class:`SealedFolder` beside its place and renames it there, all or nothing.

    Args:
        path: The final folder; must not exist.
        inside: A folder below it, that is the sealed one then.

    Raises:
        StoreError: It exists already, or the disk is full or read-only.
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
    """Whether a killed writer left this beside the final place; it holds nothing that counts."""
    return re.fullmatch(r'\..+\.[0-9a-f]{32}', path.name) is not None


def remove_leftovers(folder: Path) -> None:
    """Deletes what killed writers left in a folder; call it under the lock."""
    for path in filter(is_leftover, folder.glob('.*')):
        remove(path)


def remove(path: Path) -> None:
    """Deletes a file or folder that can be made again.

    Raises:
        StoreError: The folder around it can not be written to.
    """
    with explain_disk_errors(path):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Holds a lock file; the system lets it go when the process ends, however it ends.

    Raises:
        StoreError: Another process holds it.
    """
    with contextlib.ExitStack() as stack:
        with explain_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(path, 'a'))
        _lock_now(file, path, fcntl.LOCK_EX)
        yield


def check_unlocked(path: Path) -> None:
    """Refuses, without a trace on disk, to work where another process holds a lock file.

    Raises:
        StoreError: It does.
    """
    if path.exists():
        with open(path) as file:
            _lock_now(file, path, fcntl.LOCK_SH)


def _lock_now(file: IO, path: Path, kind: int) -> None:
    try:
        # unlike flock's, this lock is not handed down to loader workers, which may outlive us
        fcntl.lockf(file, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise StoreError(
            f'another run works in {path.parent}: wait for it or give another --work-dir'
        ) from None


def _write_synced(path: Path, content: bytes) -> None:
    with open(path, 'wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
