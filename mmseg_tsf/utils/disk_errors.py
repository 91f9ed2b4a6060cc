"""What a disk refuses, said in one sentence."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from .errors import UserError

_DISK = {
    errno.ENOSPC: 'the disk is full: make room',
    errno.EDQUOT: 'the disk quota is used up: make room',
    errno.EFBIG: 'no file may grow that large: raise the limit (ulimit -f)',
    errno.EROFS: 'the file system is read-only: make it writable',
    errno.EACCES: 'permission is denied: make the folder writable',
    errno.EPERM: 'permission is denied: make the folder writable',
}


class StoreError(UserError):
    """A store on disk is not what it was when it was written, or can not be written to."""


@contextlib.contextmanager
def said_in_one_sentence(path: Path) -> Iterator[None]:
    """Around the writing of a file or folder.

    Args:
        path: What is written, whatever temporary name it has.

    Raises:
        StoreError: The disk refuses it; names the path and the mend.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise StoreError(
            f'{path} can not be written: {_DISK[error.errno]}, then resume; what was stored '
            'before is intact'
        ) from None  # the tools show the first exception of a chain


@contextlib.contextmanager
def disk_errors_of(folder: Path) -> Iterator[None]:
    """Around code that is not ours and writes to a folder, among other things.

    Args:
        folder: Of the run; stands in the sentence where the system does not name the file.

    Raises:
        StoreError: The disk refuses it.
    """
    folder = folder.absolute()
    try:
        yield
    except OSError as error:
        path = Path(error.filename or folder).absolute()
        if isinstance(error, PermissionError) and not path.is_relative_to(folder):
            raise  # something may not be read
        with said_in_one_sentence(path):
            raise
