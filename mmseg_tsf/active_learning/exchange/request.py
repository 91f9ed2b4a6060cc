"""A request that waits for people, from a run's rounds or from the folder written for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ...utils.errors import UserError
from ...utils.files import SealedFolder
from ..oracles.request_folder import ANSWERS
from ..store.label_png import decode
from ..store.round_store import RoundStore


@dataclass
class AskedImage:
    """One image of a request.

    Attributes:
        image_id: Path below the image folder, without the suffix.
        file: The image.
        asked: ``(H, W)`` bool.
        prelabels: ``(H, W)`` uint8 class ids that the network believes in, 255 elsewhere;
            ``None`` where it was not asked.
    """

    image_id: str
    file: Path
    asked: np.ndarray
    prelabels: np.ndarray | None = None


@dataclass
class Request:
    """All images of a request, read one by one.

    Attributes:
        number: Of the round.
        digest: Of its manifest.
        classes: Names, in the order of their ids.
        sizes: Height and width by image id.
        asked: Reads the ``(H, W)`` bool mask of an image.
        prelabels: Reads the labels of an image that the network believes in, or ``None``.
        find: Finds the file of an image.
        answers: Folder that ``FolderOracle`` reads; ``None`` where it has made none.
    """

    number: int
    digest: str
    classes: tuple[str, ...]
    sizes: dict[str, tuple[int, int]]
    asked: Callable[[str], np.ndarray]
    prelabels: Callable[[str], np.ndarray | None]
    find: Callable[[str], Path]
    answers: Path | None

    def images(self) -> Iterator[AskedImage]:
        """The images in the order of their ids, each opened once.

        Raises:
            UserError: An image is missing.
            StoreError: A mask is missing or altered.
        """
        for image_id in sorted(self.sizes):
            file = self.find(image_id)
            yield AskedImage(image_id, file, self.asked(image_id), self.prelabels(image_id))

    def match(self, name: str) -> str | None:
        """The image that a tool calls so: with a suffix, and perhaps with folders before it."""
        parts = PurePosixPath(name.replace('\\', '/')).parts
        for start in range(len(parts)):
            path = '/'.join(parts[start:])
            for image_id in (path, path.rpartition('.')[0]):
                if image_id in self.sizes:
                    return image_id
        return None


def read_request(
    source: Path, number: int | None = None, image_dir: Path | None = None, suffix: str = '.png'
) -> Request:
    """Finds the request that waits for an answer.

    Args:
        source: ``work_dir`` of a run, or the folder of a round that ``FolderOracle`` has written.
        number: Of the round; the last one by default.
        image_dir: Where the images are, if ``FolderOracle`` has written no folder.
        suffix: Of these images.

    Raises:
        UserError: There is no request.
        UserError: It is answered already, or its images can not be found.
        StoreError: Something on disk is altered.
    """
    if (source / 'requests').is_dir():
        return _from_folder(source)
    if not (source / 'rounds').is_dir():
        raise UserError(
            f'{source} holds neither rounds/ nor requests/: give the folder of a run, or of a '
            'round that was written for people'
        )
    store = RoundStore(source / 'rounds')
    number = _pending(store, number)
    folder = source / (store.campaign().get('folder') or 'annotation') / f'round_{number:03d}'
    if not (folder / 'requests').is_dir():
        return _from_store(store, number, image_dir, suffix)
    request = _from_folder(folder)
    if request.digest != store.request(number).sealed.digest:
        raise UserError(f'{folder} was not written for round {number} of {source}: move it away')
    return request


def _pending(store: RoundStore, number: int | None) -> int:
    asked = [n for n in store.numbers() if store.state(n) == 'asked']
    if number is None and asked:
        return asked[-1]
    if number is None or store.state(number) != 'asked':
        which = 'no round' if number is None else f'round {number} does not'
        waits = f'; round {asked[-1]} does' if asked else ''
        verb = ' waits for answers' if number is None else ' wait for answers'
        raise UserError(f'{store.root}: {which}{verb}{waits}')
    return number


def _from_folder(folder: Path) -> Request:
    sealed = SealedFolder(folder)
    facts = sealed.manifest
    named = sorted((int(i), name) for i, name in facts['classes'].items())

    def read(kind: str, image_id: str) -> np.ndarray:
        name = f'{kind}/{image_id}.png'
        return decode(sealed.read(name), str(folder / name))

    def find(image_id: str) -> Path:
        path = folder / 'images' / image_id
        found = [p for p in path.parent.glob('*') if p.name.removesuffix(p.suffix) == path.name]
        if not found:
            raise UserError(f'{path}.* is missing: restore the folder from a copy')
        return found[0]

    return Request(
        number=facts['round'],
        digest=facts['request'],
        classes=tuple(name for _, name in named),
        sizes={i: tuple(notes['size']) for i, notes in facts['images'].items()},
        asked=lambda image_id: read('requests', image_id) > 0,
        prelabels=lambda image_id: read('prelabels', image_id),
        find=find,
        answers=folder / ANSWERS,
    )


def _from_store(store: RoundStore, number: int, image_dir: Path | None, suffix: str) -> Request:
    part = store.request(number)

    def find(image_id: str) -> Path:
        if image_dir is None:
            raise UserError(
                f'{store.root} holds no images: say where they are with --image-dir and --suffix'
            )
        path = image_dir / f'{image_id}{suffix}'
        if not path.is_file():
            raise UserError(f'{path} is missing: correct --image-dir or --suffix')
        return path

    return Request(
        number=number,
        digest=part.sealed.digest,
        classes=tuple(store.campaign()['classes']),
        sizes={i: tuple(notes['size']) for i, notes in part.images.items()},
        asked=part.array,
        prelabels=lambda image_id: None,
        find=find,
        answers=None,
    )
