"""Requests that wait for annotators, read from the rounds of a run or from a request folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ...utils.errors import UserError
from ..store.label_png import decode
from ..store.records import SealedRequest
from ..store.round_store import RoundStore
from .request_folder import ANSWERS


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


class AnnotationRequest(SealedRequest, ABC):
    """A request together with the images and class names that annotators need.

    Attributes:
        classes: Class names in the order of their ids.
        answers: Folder from which the run reads the answers; ``None`` if it reads none.
    """

    classes: tuple[str, ...]
    answers: Path | None

    @abstractmethod
    def image_file(self, image_id: str) -> Path:
        """File of an image.

        Raises:
            UserError: The file is missing.
        """

    @abstractmethod
    def prelabels(self, image_id: str) -> np.ndarray | None:
        """``(H, W)`` uint8 class ids predicted for the request, or ``None``."""

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


class RequestFolder(AnnotationRequest):
    """Request folder that ``FolderOracle`` has written for annotators.

    Args:
        path: Folder of a round, see :func:`~.request_folder.write_request_folder`.
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
        """See the base class."""
        path = self.sealed.path / 'images' / image_id
        found = [p for p in path.parent.glob('*') if p.name.removesuffix(p.suffix) == path.name]
        if not found:
            raise UserError(f'{path}.* is missing: restore the folder from a copy')
        return found[0]

    def prelabels(self, image_id: str) -> np.ndarray:
        """See the base class."""
        name = f'prelabels/{image_id}.png'
        return decode(self.sealed.read(name), str(self.sealed.path / name))


class StoredRequest(AnnotationRequest):
    """Request in the store of a run that has written no request folder.

    Args:
        store: Rounds of the run.
        number: Number of the round.
        image_dir: Folder of the pool's images.
        suffix: Suffix of their names.
    """

    answers = None

    def __init__(self, store: RoundStore, number: int, image_dir: Path | None, suffix: str) -> None:
        super().__init__(store.request(number).sealed.path)
        self.classes = tuple(store.campaign()['classes'])
        self._root, self._image_dir, self._suffix = store.root, image_dir, suffix

    def image_file(self, image_id: str) -> Path:
        """See the base class."""
        if self._image_dir is None:
            raise UserError(
                f'{self._root} holds no images: say where they are with --image-dir and --suffix'
            )
        path = self._image_dir / f'{image_id}{self._suffix}'
        if not path.is_file():
            raise UserError(f'{path} is missing: correct --image-dir or --suffix')
        return path

    def prelabels(self, image_id: str) -> None:
        """See the base class."""
        return None


def read_request(
    source: Path, number: int | None = None, image_dir: Path | None = None, suffix: str = '.png'
) -> AnnotationRequest:
    """Finds the request that waits for an answer.

    Args:
        source: Work dir of a run, or a request folder.
        number: Number of the round; the last one that waits by default.
        image_dir: Folder of the images, if the run has written no request folder.
        suffix: Suffix of these images.

    Raises:
        UserError: There is no request, it is already answered, or its images cannot be found.
        StoreError: A file on disk is altered.
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
        return StoredRequest(store, number, image_dir, suffix)
    folder = source / annotation_dir / f'round_{number:03d}'
    if not folder.is_dir():
        return StoredRequest(store, number, image_dir, suffix)
    request = RequestFolder(folder)
    if request.digest != store.request(number).digest:
        raise UserError(f'{folder} was not written for round {number} of {source}: move it away')
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
