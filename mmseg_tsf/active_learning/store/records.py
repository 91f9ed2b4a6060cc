"""Requests and answers on disk, as sealed folders with one PNG per image."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np

from ...utils.files import SealedFolder, StoreError
from ...utils.inside import check_inside
from ...utils.shapes import misfit
from .label_png import decode

NOTES = dict(size=[int], pixels=int, regions=int, components=int, clicks=int, classes=[int])
"""Shape of the notes on an image."""


class RoundRecord:
    """Half of a round on disk: a manifest and one PNG per image.

    Args:
        path: Sealed folder.

    Raises:
        StoreError: The manifest is missing or altered.
    """

    png_dir: str
    """Folder of the PNGs, relative to ``path``."""

    def __init__(self, path: Path) -> None:
        self.sealed = SealedFolder(path)
        images = self.info.get('images')
        if misfit(images, {...: NOTES}) is not None or not all(map(_has_size, images.values())):
            raise StoreError(f'{path}/manifest.json has no images with sizes: restore the folder')
        if type(self.info.get('round')) is not int:
            raise StoreError(f'{path}/manifest.json is of no round: restore the folder')
        check_inside(images, path / 'manifest.json')

    @property
    def info(self) -> dict:
        """Content of the manifest."""
        return self.sealed.manifest

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which identifies the record."""
        return self.sealed.digest

    @property
    def number(self) -> int:
        """Number of the round, counted from 0."""
        return self.info['round']

    @property
    def images(self) -> dict[str, dict]:
        """Notes on each image by its id, in the order of ids."""
        return self.info['images']

    @cached_property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Height and width of each image by its id."""
        return {image_id: tuple(notes['size']) for image_id, notes in self.images.items()}

    def follows(self, previous: RoundRecord) -> bool:
        """Whether this record was written after ``previous``, unchanged since then."""
        return self.info.get('previous') == previous.digest

    def _read_png(self, name: str, image_id: str) -> np.ndarray:
        """``(H, W)`` array of a PNG that must have the size of its image."""
        array = decode(self.sealed.read(name), str(self.sealed.path / name))
        size = self.sizes[image_id]
        if array.shape != size:
            raise StoreError(
                f'{self.sealed.path / name} is {array.shape}, but its image is {size} (height, '
                'width): restore it from a copy'
            )
        return array


class SealedRequest(RoundRecord):
    """The pixels that one round asks for."""

    png_dir = 'masks'

    def mask(self, image_id: str) -> np.ndarray:
        """``(H, W)`` bool mask of the requested pixels.

        Raises:
            StoreError: The file is missing, altered or not a PNG.
        """
        return self._read_png(f'{self.png_dir}/{image_id}.png', image_id) > 0


class SealedAnswer(RoundRecord):
    """The labels that one round received, or an amendment of some of them.

    Args:
        path: Sealed folder.
        amendments: Later answers for some of the images, the newest last; each supersedes what was
            said of its images before.
    """

    png_dir = 'labels'

    def __init__(self, path: Path, amendments: tuple[SealedAnswer, ...] = ()) -> None:
        super().__init__(path)
        self.amendments = amendments

    @cached_property
    def images(self) -> dict[str, dict]:
        """Notes on each image by its id, those of its newest amendment above the others."""
        images = dict(self.info['images'])
        for amendment in self.amendments:
            for image_id, notes in amendment.images.items():
                images[image_id] = {**images.get(image_id, {}), **notes}
        return images

    @property
    def amended(self) -> set[str]:
        """Ids of the images whose answer was amended."""
        return {image_id for amendment in self.amendments for image_id in amendment.images}

    @property
    def version(self) -> str:
        """Digest of the newest record, which changes with every amendment."""
        return self.amendments[-1].digest if self.amendments else self.digest

    def holds(self, image_id: str, content: bytes) -> bool:
        """Whether the stored labels of an image, those of its newest amendment, are this file."""
        stored = self._newest(image_id).info['files'].get(f'{self.png_dir}/{image_id}.png')
        return hashlib.sha256(content).hexdigest() == stored

    def _newest(self, image_id: str) -> SealedAnswer:
        return next((a for a in reversed(self.amendments) if image_id in a.images), self)

    def labels(self, image_id: str) -> np.ndarray:
        """``(H, W)`` uint8 class ids, 255 where there is no label, of the newest amendment.

        Raises:
            StoreError: The file is missing, altered or not a PNG.
        """
        record = self._newest(image_id)
        if record is not self:
            return record.labels(image_id)
        return self._read_png(f'{self.png_dir}/{image_id}.png', image_id)


def _has_size(notes: dict) -> bool:
    size = notes.get('size') or []
    return len(size) == 2 and min(size) > 0
