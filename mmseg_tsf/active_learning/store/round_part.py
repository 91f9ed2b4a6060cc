"""A request or an answer, read from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...utils.files import SealedFolder, StoreError
from .label_png import decode


class Part:
    """A request or an answer on disk.

    Args:
        path: Its folder.
        folder: Folder of its PNGs below that, ``'masks'`` or ``'labels'``.
    """

    def __init__(self, path: Path, folder: str) -> None:
        self.sealed, self.folder = SealedFolder(path), folder

    @property
    def info(self) -> dict:
        """The manifest."""
        return self.sealed.manifest

    @property
    def images(self) -> dict[str, dict]:
        """What is noted of each image, by id, in the order of ids."""
        return self.info['images']

    def array(self, image_id: str) -> np.ndarray:
        """``(H, W)`` bool mask of a request, or uint8 labels of an answer.

        Raises:
            StoreError: The file is missing, altered or no PNG.
        """
        name = f'{self.folder}/{image_id}.png'
        array = decode(self.sealed.read(name), str(self.sealed.path / name))
        size = tuple(self.images[image_id]['size'])
        if array.shape != size:
            raise StoreError(f'{name} is {array.shape}, its image is {size}: restore it')
        return array
