"""Whether a folder for people, and the images that it asks about, are what they were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...utils.errors import UserError, some_of
from ...utils.files import MANIFEST, StoreError, sha256

ANSWERS = 'answers'
"""Subfolder that receives one PNG of class ids per image."""


def check_images(
    digests: Mapping[str, str | None], files: Mapping[str, str | Path], path: Path
) -> None:
    """Compares images with those that were requested, by the digests of their files.

    Args:
        digests: SHA-256 of the image file of each image id.
        files: Image file of each image id.
        path: Path of the request folder, for the error message.

    Raises:
        UserError: Images are missing or have another content; the message names them.
    """
    changed = []
    for image_id, digest in digests.items():
        file = Path(files[image_id])
        if not file.is_file():
            changed.append(f'{file} is missing')
        elif digest not in (None, sha256(file)):
            changed.append(f'{file} was exchanged')
    if changed:
        raise UserError(
            f'{len(changed)} images are not those that {path} asks about ({some_of(changed)}): '
            'restore them, because answers belong to the pixels that were shown'
        )


def digests_of(manifest: dict) -> dict[str, str | None]:
    """SHA-256 of the image that was requested by image id; ``None`` in a folder without them."""
    return {image_id: notes.get('sha256') for image_id, notes in manifest['images'].items()}


def check_manifest(manifest: dict, path: Path) -> None:
    """Checks what the manifest of a request folder has beside that of a request.

    Raises:
        StoreError: An entry is missing or has another form.
    """
    classes = manifest.get('classes')
    fits = (
        isinstance(manifest.get('request'), str)
        and isinstance(classes, dict)
        and sorted(classes, key=str) == sorted(map(str, range(len(classes))))
        and all(isinstance(name, str) for name in classes.values())
    )
    if not fits:
        raise StoreError(f'{path / MANIFEST} is not that of a request: restore it from a copy')
