"""Checkpoints that carry a digest of themselves, and whether a file is whole."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path

import torch

from .errors import UserError
from .files import write_file

LEGACY = b'\x80'
"""First byte of the format before torch 1.6, a bare pickle, which has no checksums."""
DIGEST = b'sha256 '
LENGTH = len(DIGEST) + 64
"""Length of the comment that holds the digest."""
END, NO_COMMENT = b'PK\x05\x06', b'\x00\x00'
"""Last record of a zip archive, and its last field where the archive has no comment."""


def write_checkpoint(path: Path, content: bytes) -> None:
    """Writes a checkpoint completely or not at all, with the SHA-256 digest of its content.

    The digest is the comment of the zip archive that ``torch.save`` makes, so every reader of
    checkpoints can read the file.

    Args:
        path: File, which is replaced in one step.
        content: What ``torch.save`` has written.

    Raises:
        StoreError: The disk rejects the write.
    """
    content = memoryview(content)
    if bytes(content[-22:-18]) != END or bytes(content[-2:]) != NO_COMMENT:
        write_file(path, content)
        return
    comment = DIGEST + hashlib.sha256(content).hexdigest().encode()
    write_file(path, content[:-2], LENGTH.to_bytes(2, 'little') + comment)


def checkpoint_damage(path: Path) -> str:
    """Why a checkpoint cannot be used, as the end of a sentence; empty if it is whole.

    torch does not look at checksums when it loads a file: a flipped bit becomes another weight.
    Files of :func:`write_checkpoint` are compared with their digest, others with the checksums of
    their tensors. All of the file is read.

    Args:
        path: File that ``torch.save`` or :func:`write_checkpoint` has written.
    """
    try:
        content = memoryview(Path(path).read_bytes())
    except FileNotFoundError:
        return 'does not exist'
    except OSError as error:
        return f'cannot be read ({error.strerror})'
    comment = bytes(content[-LENGTH:])
    if comment.startswith(DIGEST):
        digest = hashlib.sha256(content[: -LENGTH - 2])
        digest.update(NO_COMMENT)
        altered = digest.hexdigest().encode() != comment[len(DIGEST) :]
    elif content[:1] == LEGACY:
        altered = False
    elif END not in bytes(content[-(1 << 16) :]):
        return 'is incomplete'
    else:
        altered = _is_altered(path)
    return 'was altered after it was written' if altered else ''


def _is_altered(path: Path) -> bool:
    """Whether a zip archive that others have written was altered, as far as its checksums tell."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is not None or _is_rejected_by_torch(path)
    except Exception:  # what zipfile and struct raise for altered headers is of many types
        return True


def _is_rejected_by_torch(path: Path) -> bool:
    """Whether torch cannot read a file that Python can; tensors are not read."""
    try:
        torch.load(path, map_location='meta', weights_only=True)
    except RuntimeError:
        return True
    except pickle.UnpicklingError:  # what it holds is for others to judge
        return False
    return False


def check_checkpoint(path: str | Path, remedy: str = 'take another one, or a copy') -> None:
    """Checks that a checkpoint is whole; URLs are left alone.

    Raises:
        UserError: The file is missing, incomplete or altered.
    """
    damage = '' if '://' in str(path) else checkpoint_damage(Path(path))
    if damage:
        raise UserError(f'{path} {damage}: {remedy}')


def damaged_checkpoints(folder: Path) -> list[str]:
    """Checkpoints in a folder that are not whole, one sentence each."""
    found = ((path, checkpoint_damage(path)) for path in sorted(folder.glob('*.pth')))
    return [f'{path} {damage}' for path, damage in found if damage]
