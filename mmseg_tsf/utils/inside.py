"""Relative paths that others have written, such as ids of images, and where they lead."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .errors import StoreError


def check_inside(names: Iterable[object], where: Path) -> None:
    """Checks that relative paths stay inside of their folder, on any system.

    Args:
        names: Relative paths, as others may have written them.
        where: Folder or file that has them, for the message.

    Raises:
        StoreError: A path is absolute, goes up with ``..``, or is no path at all.
    """
    for name in names:
        if not stays_inside(name):
            raise StoreError(
                f'{name!r} in {where} leads out of its folder: give a path inside of it, and do '
                'not use what was received with this one'
            )


def stays_inside(name: object) -> bool:
    """Whether a value is a relative path that leads to no place outside of its folder."""
    if not isinstance(name, str) or '\0' in name:
        return False
    parts = name.replace('\\', '/').split('/')  # Windows takes either
    return not {'', '.', '..'} & {*parts} and not re.fullmatch('[A-Za-z]:', parts[0])
