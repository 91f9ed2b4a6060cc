"""Requests that wait for annotators, read from the rounds of a run or from a request folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ...utils.errors import UserError
from ..store.records import SealedRequest
from ..store.round_store import RoundStore

ANSWERS = 'answers'
"""Subfolder of a request folder that receives one PNG of class ids per image."""


@dataclass
class AskedImage:
    """One image of a request.

    Attributes:
        image_id: Path of the image below the image folder, without the suffix.
        file: Image file.
        asked: ``(H, W)`` bool mask of the requested pixels.
        prelabels: ``(H, W)`` uint8 class ids that the network predicts for them, 255 elsewhere;
            ``None`` if there is no prediction.
    """

    image_id: str
    file: Path
    asked: np.ndarray
    prelabels: np.ndarray | None = None


class RequestFolder(SealedRequest):
    """Request folder that ``FolderOracle`` has written for annotators.

    Args:
        path: Folder of a round, see :func:`~.request_folder.write_request_folder`.

    Attributes:
        classes: Class names in the order of their ids.
        answers: Folder from which the run reads the answers.
    """

    png_dir = 'requests'

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        named = sorted((int(i), name) for i, name in self.info['classes'].items())
        self.classes = tuple(name for _, name in named)
        self.answers = path / ANSWERS

    @property
    def digest(self) -> str:
        """SHA-256 of the request in the store of which the folder is a copy."""
        return self.info['request']

    def image_file(self, image_id: str) -> Path:
        """File of an image.

        Raises:
            UserError: The file is missing.
        """
        path = self.sealed.path / 'images' / image_id
        found = [p for p in path.parent.glob('*') if p.name.removesuffix(p.suffix) == path.name]
        if not found:
            raise UserError(f'{path}.* is missing: restore the folder from a copy')
        return found[0]

    def prelabels(self, image_id: str) -> np.ndarray:
        """``(H, W)`` uint8 class ids that the network predicts, 255 outside of the request."""
        return self._read_png(f'prelabels/{image_id}.png', image_id)

    def asked_images(self) -> Iterator[AskedImage]:
        """Images in the order of their ids, each read once.

        Raises:
            UserError: An image is missing.
            StoreError: A mask is missing or altered.
        """
        for image_id in sorted(self.images):
            file = self.image_file(image_id)
            yield AskedImage(image_id, file, self.mask(image_id), self.prelabels(image_id))

    def match(self, name: str) -> str | None:
        """Id of the image that a tool calls ``name``: with a suffix or with leading folders."""
        parts = PurePosixPath(name.replace('\\', '/')).parts
        for start in range(len(parts)):
            path = '/'.join(parts[start:])
            for image_id in (path, path.rpartition('.')[0]):
                if image_id in self.images:
                    return image_id
        return None


def read_request(source: Path, number: int | None = None) -> RequestFolder:
    """Finds the request that waits for an answer.

    Args:
        source: Work dir of a run, or a request folder.
        number: Number of the round; the last one that waits by default.

    Raises:
        UserError: There is no request, or it is already answered.
        StoreError: A file on disk is missing or altered.
    """
    if (source / 'requests').is_dir():
        return RequestFolder(source)
    if not (source / 'rounds').is_dir():
        raise UserError(
            f'{source} holds neither rounds/ nor requests/: give the folder of a run, or of a '
            'round that was written for annotators'
        )
    store = RoundStore(source / 'rounds')
    number = _pending(store, number)
    annotation_dir = store.campaign()['annotation_dir']
    if annotation_dir is None:
        raise UserError(f'{source} has no request folders: its oracle does not ask annotators')
    request = RequestFolder(source / annotation_dir / f'round_{number:03d}')
    if request.digest != store.request(number).digest:
        raise UserError(
            f'{request.sealed.path} was not written for round {number} of {source}: move it away'
        )
    return request


def _pending(store: RoundStore, number: int | None) -> int:
    """Number of the round that waits for answers."""
    asked = [n for n in store.numbers() if store.state(n) == 'asked']
    if number is None and asked:
        return asked[-1]
    if number in asked:
        return number
    which = 'no round waits' if number is None else f'round {number} does not wait'
    others = f'; round {asked[-1]} does' if asked else ''
    raise UserError(f'{store.root}: {which} for answers{others}')
