"""States in which a crash can leave a folder, found by watching a program that changes it."""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import io
import itertools
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

UNREAD = re.compile(r'\d{8}_\d{6}(/|$)|\d{8}_\d{6}\.py$')
"""Logs and dumped configs in the folder of a run, which no resume reads."""
FOLDER = None
"""What a state holds for a folder, in place of a content."""
Tree = dict[str, bytes | None]


class Seen(NamedTuple):
    """The disk at one moment.

    Attributes:
        names: Numbers of the entries of each folder, by the number of the folder and name.
        contents: Content of each file by its number.
    """

    names: dict[int, dict[str, int]]
    contents: dict[int, bytes]

    def tree(self, contents: Callable[[int], bytes], names: dict | None = None) -> Tree:
        """Files and folders by path, with the content that a function of their number returns."""
        names, found = self.names if names is None else names, {}

        def walk(folder: int, prefix: str) -> None:
            for name, number in names.get(folder, {}).items():
                if number in self.names:
                    found[prefix + name] = FOLDER
                    walk(number, f'{prefix}{name}/')
                else:
                    found[prefix + name] = contents(number)

        walk(0, '')
        return found


class Recorder:
    """States in which a crash could leave a folder while a program changes it.

    Args:
        root: The folder.

    Attributes:
        states: Kind of crash, number of the operation and content of the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.states, self.count = Path(root), [], 0
        self._numbers: dict[int, int] = {self.root.stat().st_ino: 0}
        self._next = itertools.count(1)
        self._synced: dict[int, bytes] = {}  # contents of files
        self._durable: dict[int, dict[str, int]] = {}  # entries of folders
        self._read_before: dict[int, tuple] = {}
        self._seen = self._look()

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Context in which the states are recorded."""
        changing = ('replace', 'rename', 'unlink', 'remove', 'mkdir', 'rmdir', 'truncate', 'open')
        with contextlib.ExitStack() as stack:
            for name in (*changing, 'ftruncate', 'link', 'symlink'):
                stack.enter_context(mock.patch.object(os, name, self._around(getattr(os, name))))
            for owner in (builtins, io):
                stack.enter_context(mock.patch.object(owner, 'open', self._around(open)))
            stack.enter_context(mock.patch.object(os, 'fsync', self._sync(os.fsync)))
            yield
        self.note()

    def _around(self, function: Callable) -> Callable:
        def wrapped(*args, **kwargs):
            self.note()
            result = function(*args, **kwargs)
            self.note()
            return result

        return wrapped

    def _sync(self, fsync: Callable) -> Callable:
        def wrapped(descriptor: int) -> None:
            self.note()
            fsync(descriptor)
            info = os.fstat(descriptor)
            number = self._numbers.get(info.st_ino)
            if number is not None and stat.S_ISDIR(info.st_mode):
                self._durable[number] = dict(self._seen.names[number])
            elif number is not None:
                self._synced[number] = self._seen.contents[number]
            self.note(force=True)

        return wrapped

    def note(self, force: bool = False) -> None:
        """Adds the states of this moment if the folder has changed."""
        before, self._seen = self._seen, self._look()
        if self._seen == before and not force:
            return
        self.count += 1
        seen, synced = self._seen, self._synced
        self._add('killed', seen.tree(seen.contents.__getitem__))
        for number, content in seen.contents.items():
            old = before.contents.get(number, b'')
            if content != old and len(content) > 1:
                kept = len(old) if content.startswith(old) else 0
                torn = {**seen.contents, number: content[: (kept + len(content)) // 2]}
                self._add('torn write', seen.tree(torn.__getitem__))
        self._add('power cut', seen.tree(lambda n: synced.get(n, b''), self._durable))
        for lost in (lambda n: bytes(len(seen.contents[n])), lambda n: b''):
            of_now = seen.tree(lambda n, lost=lost: synced[n] if n in synced else lost(n))
            self._add('power cut after the names', of_now)

    def _add(self, kind: str, tree: Tree) -> None:
        self.states.append((kind, self.count, tree))

    def _look(self) -> Seen:
        """Reads the folder; files keep their numbers when they are renamed."""
        seen, alive = Seen({}, {}), {self.root.stat().st_ino: 0}

        def number(entry: os.DirEntry) -> int:
            inode = entry.inode()
            alive[inode] = self._numbers.get(inode) or next(self._next)
            self._numbers[inode] = alive[inode]
            return alive[inode]

        def walk(folder: Path, own: int) -> None:
            entries = [
                e for e in os.scandir(folder) if not UNREAD.match(os.path.relpath(e, self.root))
            ]
            seen.names[own] = {entry.name: number(entry) for entry in entries}
            for entry in entries:
                if entry.is_dir():
                    walk(Path(entry.path), alive[entry.inode()])
                else:
                    own_number = alive[entry.inode()]
                    seen.contents[own_number] = self._read(entry, own_number)

        walk(self.root, 0)
        self._numbers = alive
        return seen

    def _read(self, entry: os.DirEntry, number: int) -> bytes:
        """Content of a file, read again only if its size or time has changed."""
        info = entry.stat()
        mark = info.st_size, info.st_mtime_ns
        if self._read_before.get(number, (None,))[0] != mark:
            descriptor = _OPEN(entry.path, os.O_RDONLY)
            try:
                self._read_before[number] = mark, os.read(descriptor, info.st_size + 1)
            finally:
                os.close(descriptor)
        return self._read_before[number][1]


_OPEN = os.open


def different(
    states: Iterable[tuple[str, int, Tree]], leftovers: bool = False
) -> list[tuple[str, int, Tree]]:
    """The first of each group of equal states.

    Args:
        states: See :class:`Recorder`.
        leftovers: Whether the content of half written temporary files counts.
    """
    states, found, digests = list(states), {}, {}

    def digest(content: bytes) -> str:
        if id(content) not in digests:  # all contents are alive as long as the states
            digests[id(content)] = hashlib.sha256(content).hexdigest()
        return digests[id(content)]

    for state in states:
        found.setdefault(_key(state[2], leftovers, digest), state)
    return list(found.values())


def _key(tree: Tree, leftovers: bool, digest: Callable[[bytes], str]) -> str:
    lines = set()
    for name, content in tree.items():
        parts = [re.sub(r'^(\..+)\.[0-9a-f]{32}$', r'\1', part) for part in name.split('/')]
        if not leftovers and parts != name.split('/'):
            changed = [a != b for a, b in zip(parts, name.split('/'), strict=True)].index(True)
            lines.add('/'.join(parts[: changed + 1]))
            continue
        lines.add(f'{"/".join(parts)} {"folder" if content is FOLDER else digest(content)}')
    return '\n'.join(sorted(lines))
