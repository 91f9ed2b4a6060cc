"""Lock files, which keep two processes out of one folder."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import StoreError, explain_disk_errors


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Context that holds a lock file; the system releases it when the process ends in any way.

    Raises:
        StoreError: Another process holds the lock.
    """
    with contextlib.ExitStack() as stack:
        with explain_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(path, 'a'))
        _lock_now(file, path, fcntl.LOCK_EX)
        yield


def check_unlocked(path: Path) -> None:
    """Checks that no other process holds a lock file; leaves no trace on the disk.

    Raises:
        StoreError: Another process holds the lock.
    """
    if path.exists():
        with open(path) as file:
            _lock_now(file, path, fcntl.LOCK_SH)


def _lock_now(file: IO, path: Path, kind: int) -> None:
    try:
        # unlike that of flock, this lock is not inherited by loader workers, which may outlive us
        fcntl.lockf(file, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise StoreError(
            f'another run is using {path.parent}: wait for it or give another --work-dir'
        ) from None
    except OSError as error:
        raise StoreError(
            f'{path} cannot be locked ({error.strerror}), so two runs could spoil each other: give '
            'a --work-dir on a file system with locks (of a network file system, mount it with '
            'locks: NFS with lockd, Lustre with "flock")'
        ) from None
