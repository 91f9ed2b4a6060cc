"""Requests that wait for annotators, read from the rounds of a run or from a request folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ...utils.errors import UserError
from ..store.records import SealedRequest
from ..store.round_store import CAMPAIGN, RoundStore
from .names import tag_of
from .request_checks import ANSWERS, check_images, check_manifest, digests_of


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

    Raises:
        StoreError: The manifest is missing or altered, lacks an entry, or names an image outside
            of the folder.
    """

    png_dir = 'requests'

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        check_manifest(self.info, path)
        named = sorted((int(i), name) for i, name in self.info['classes'].items())
        self.classes = tuple(name for _, name in named)
        self.answers = path / ANSWERS

    @property
    def digest(self) -> str:
        """SHA-256 of the request in the store of which the folder is a copy."""
        return self.info['request']

    @property
    def tag(self) -> str:
        """Folder that stands for the request in the packages for annotation tools."""
        return tag_of(self.number, self.digest)

    @cached_property
    def _image_files(self) -> dict[str, Path]:
        """Image files by their path below ``images/`` without the suffix."""
        root = self.sealed.path / 'images'
        files = (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
        return {file.relative_to(root).with_suffix('').as_posix(): file for file in files}

    def image_file(self, image_id: str) -> Path:
        """File of an image.

        Raises:
            UserError: The file is missing.
        """
        if image_id not in self._image_files:
            path = self.sealed.path / 'images' / image_id
            raise UserError(f'{path}.* is missing: restore the folder from a copy')
        return self._image_files[image_id]

    def prelabels(self, image_id: str) -> np.ndarray:
        """``(H, W)`` uint8 class ids that the network predicts, 255 outside of the request."""
        return self._read_png(f'prelabels/{image_id}.png', image_id)

    def asked_images(self) -> Iterator[AskedImage]:
        """Images in the order of their ids, each read once.

        Raises:
            UserError: An image is missing, or is no longer the one that was requested.
            StoreError: A mask is missing or altered.
        """
        written = {f'images/{i}.png': i for i in self.images}  # where viewers may turn the file
        pictures = {written[n]: own for n, own in self.info['files'].items() if n in written}
        files = {i: self.image_file(i) for i in self.images}
        check_images({**digests_of(self.info), **pictures}, files, self.sealed.path)
        for image_id in sorted(self.images):
            file = self.image_file(image_id)
            yield AskedImage(image_id, file, self.mask(image_id), self.prelabels(image_id))


def read_request(source: Path, number: int | None = None) -> RequestFolder:
    """Finds a request.

    Args:
        source: Work dir of a run, or a request folder.
        number: Number of the round, which may be answered; the one that waits by default.

    Raises:
        UserError: There is no request, or none waits and no number is given.
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
    number = _existing(store, number)
    annotation_dir = store.campaign()['annotation_dir']
    if annotation_dir is None:
        raise UserError(f'{source} has no request folders: its oracle does not ask annotators')
    request = RequestFolder(source / annotation_dir / f'round_{number:03d}')
    if request.digest != store.request(number).digest:
        raise UserError(
            f'{request.sealed.path} was not written for round {number} of {source}: move it away'
        )
    return request


def closed_notice(source: Path, request: RequestFolder) -> str:
    """What to tell people who import answers to a closed round; empty for one that waits.

    Args:
        source: Work dir of a run, or a request folder. The run of a folder is looked for above
            it, and not found if the folder was copied elsewhere.
        request: Request that :func:`read_request` found there.

    Raises:
        StoreError: A file of the run is missing or altered.
    """
    folder, number = request.sealed.path.resolve(), request.number
    for run in (source, *folder.parents):
        if not (run / 'rounds' / CAMPAIGN).is_file():
            continue
        store = RoundStore(run / 'rounds')
        directory = store.campaign()['annotation_dir']
        if directory is None or (run / directory).resolve() != folder.parent:
            continue
        is_closed = store.state(number) == 'answered'
        if is_closed and store.request(number).digest == request.digest:
            return (
                f'round {number} is closed: the run goes on with the answers that it read then, '
                f'until you run: python tools/active_learning/amend.py {run} --round {number}'
            )
    return ''


def _existing(store: RoundStore, number: int | None) -> int:
    """Number of a round with a request: the given one, or the one that waits for answers."""
    numbers = store.numbers()
    asked = [n for n in numbers if store.state(n) == 'asked']
    if number is None and asked:
        return asked[-1]
    if number in numbers:
        return number
    if number is None:
        others = '; give the number of an answered one with --round to correct it' * bool(numbers)
        raise UserError(f'{store.root}: no round waits for answers{others}')
    others = f': round {asked[-1]} waits for answers' if asked else ''
    raise UserError(f'{store.root} has no round {number}{others}')
