"""The exceptions that mean: the user can mend it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator
from pathlib import Path


class UserError(ValueError):
    """A mistake in a config, a file or a command line; its message names the remedy.

    Tools print it as one line and end with status 2 (:func:`~mmseg_tsf.utils.cli.run_tool`);
    every other exception keeps its traceback.
    """


def some_of(names: Iterable[str]) -> str:
    """The first few names, for a message."""
    names = list(names)
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')


class StoreError(UserError):
    """A store on disk has changed since it was written, or it cannot be written to."""


REMEDIES = {
    errno.ENOSPC: 'the disk is full: make room',
    errno.EDQUOT: 'the disk quota is used up: make room',
    errno.EFBIG: 'the file size limit is reached: raise the limit (ulimit -f)',
    errno.EROFS: 'the file system is read-only: make it writable',
    errno.EACCES: 'permission is denied: make the folder writable',
    errno.EPERM: 'permission is denied: make the folder writable',
}
"""What to do where the disk rejects a file, by the number of the error."""
_FAILING = {
    errno.EIO: 'the device reports an input/output error: check the disk or the network',
    errno.ESTALE: 'the network file system has lost it: mount it again',
}


@contextlib.contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Context in which one file or folder is written.

    Args:
        path: Final path of the file or folder; the message names it instead of a temporary one.

    Raises:
        StoreError: The disk rejects the write; the message names the path and the remedy.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FAILING:
            raise StoreError(
                f'{path} cannot be read or written: {_FAILING[error.errno]}, then resume; '
                'tools/active_learning/verify.py finds what is damaged'
            ) from None
        if error.errno not in REMEDIES:
            raise
        raise StoreError(
            f'{path} cannot be written: {REMEDIES[error.errno]}, then resume; what was stored '
            'before is intact'
        ) from None  # the tools show the first exception of a chain


@contextlib.contextmanager
def explain_disk_errors_in(folder: Path) -> Iterator[None]:
    """Context in which third-party code writes to a folder, among other things.

    Args:
        folder: Folder of the run; the message names it where the system does not name the file.

    Raises:
        StoreError: The disk rejects a write.
    """
    folder = folder.absolute()
    try:
        yield
    except OSError as error:
        path = Path(error.filename or folder).absolute()
        if isinstance(error, PermissionError) and not path.is_relative_to(folder):
            raise  # a file elsewhere could not be read
        with explain_disk_errors(path):
            raise
