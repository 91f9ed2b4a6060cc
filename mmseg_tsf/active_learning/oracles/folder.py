"""People who answer by files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from ...models.utils.pixel_losses import IGNORE_INDEX
from ...utils.errors import UserError
from ..registry import ORACLES
from ..store.label_png import decode
from ..store.round_part import Part
from .base import Oracle, Pending
from .request_folder import ANSWERS, write_request_folder


@ORACLES.register_module()
class FolderOracle(Oracle):
    """Writes each request into a folder of its own, and reads the answers that people put there.

    ``<folder>/round_003`` holds ``README.txt``, images, requests as masks and as outlines, and
    what the network believes; ``answers/<image id>.png`` is waited for. The run stops until all
    are there, and goes on with ``--resume``.

    Args:
        folder: Where the rounds are put; ``<work_dir>/annotation`` by default.
        accept_partial: Whether to go on as soon as one image is answered. That closes the round:
            images without an answer are not charged and may be asked again in a later one.
    """

    who = 'people'

    def __init__(self, folder: str | None = None, accept_partial: bool = False) -> None:
        self._folder, self.accept_partial = folder, accept_partial

    def bind(self, dataset: dict, work_dir: Path, num_classes: int) -> None:
        """See the base class."""
        super().bind(dataset, work_dir, num_classes)
        self.folder = Path(self._folder or Path(work_dir, 'annotation'))

    def answer(
        self, number: int, request: Part, predict: Callable[[str], np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray, dict]] | Pending:
        """Writes the request where it is not written yet, and reads what is answered.

        Raises:
            UserError: An answer is no complete PNG, or of a wrong size or with wrong class ids;
                names the file. Nothing is lost: mend it and resume.
        """
        path = self.folder / f'round_{number:03d}'
        files = {i: self.images.path(self.index(i)) for i in request.images}
        classes = self.images.dataset.metainfo['classes']
        write_request_folder(path, number, request, files, classes, predict)
        there = [i for i in request.images if _answer(path, i).is_file()]
        missing = [i for i in request.images if i not in set(there)]
        strays = _strays(path / ANSWERS, there)
        if missing and not (self.accept_partial and there):
            for image_id in there:  # what is wrong is better known early
                self._read(path, image_id, request.array(image_id))
            return Pending(_what_to_do(path, missing, len(request.images), strays))
        if strays:
            print_log(f'Not read, since nothing was asked of it: {_some(strays)}', 'current')
        if missing:
            text = f'{len(missing)} of {len(request.images)} images are not answered'
            print_log(f'Round {number}: {text} ({_some(missing)})', 'current')
        return self._items(path, there, request)

    def look_back(self, number: int, request: Part, answer: Part) -> None:
        """Says which files came after their round was closed, see ``accept_partial``."""
        path = self.folder / f'round_{number:03d}'
        late = [i for i in request.images if i not in answer.images and _answer(path, i).is_file()]
        if late:
            print_log(
                f'{len(late)} answers came after round {number} was closed ({_some(late)}): they '
                'are not used, and may be given again when their pixels are asked again',
                'current',
                logging.WARNING,
            )

    def _items(
        self, path: Path, ids: list[str], request: Part
    ) -> Iterator[tuple[str, np.ndarray, dict]]:
        for image_id in ids:
            asked = request.array(image_id)
            labels = self._read(path, image_id, asked)
            dropped = int((labels != IGNORE_INDEX)[~asked].sum())
            if dropped:
                text = f'{dropped} labels outside of the request are not used'
                print_log(f'{_answer(path, image_id)}: {text}', 'current')
            unsaid = int((labels == IGNORE_INDEX)[asked].sum())
            labels = np.where(asked, labels, IGNORE_INDEX).astype(np.uint8)
            yield image_id, labels, dict(dropped=dropped, unsaid=unsaid)

    def _read(self, path: Path, image_id: str, asked: np.ndarray) -> np.ndarray:
        """``(H, W)`` uint8 as people wrote it, right where it is asked."""
        file = _answer(path, image_id)
        labels = decode(file.read_bytes(), str(file))
        if labels.dtype == bool:
            raise UserError(
                f'{file} has 1 bit a pixel, which can not hold class ids and 255: write it with 8 '
                'bits, then resume'
            )
        if labels.shape != asked.shape:
            raise UserError(
                f'{file} is {labels.shape[1]}x{labels.shape[0]} pixels, its image '
                f'{asked.shape[1]}x{asked.shape[0]}: write it in the size of the image, then '
                'resume'
            )
        foreign = set(np.unique(labels[asked]).tolist()) - {*range(self.num_classes), IGNORE_INDEX}
        if foreign:
            raise UserError(
                f'{file} has the class ids {sorted(foreign)} where labels were asked, but there '
                f'are {self.num_classes} classes (0 to {self.num_classes - 1}; 255 = can not be '
                'said): correct it, then resume'
            )
        return labels


def _answer(path: Path, image_id: str) -> Path:
    return path / ANSWERS / f'{image_id}.png'


def _strays(folder: Path, there: list[str]) -> list[str]:
    """Files among the answers that belong to no image asked; hidden ones are let be."""
    known = {f'{image_id}.png' for image_id in there}
    names = (p.relative_to(folder).as_posix() for p in folder.rglob('[!.]*') if p.is_file())
    return sorted(name for name in names if name not in known)


def _what_to_do(path: Path, missing: list[str], num: int, strays: list[str]) -> str:
    names = _some([f'{image_id}.png' for image_id in missing])
    text = (
        f'people are asked: {len(missing)} of {num} answers are missing in {path / ANSWERS} '
        f'({names}); do what {path / "README.txt"} says, then start again with --resume'
    )
    return f'{text}; nothing was asked of {_some(strays)}: wrong name?' if strays else text


def _some(names: list[str]) -> str:
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
