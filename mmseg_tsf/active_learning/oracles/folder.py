"""Annotators who answer by files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError, some_of
from ..exchange.label_set import LabelSet
from ..exchange.request_folder import ANSWERS, write_request_folder
from ..registry import ORACLES
from ..store.label_png import decode, foreign_ids
from ..store.records import SealedAnswer, SealedRequest
from .base import Oracle, Pending


@ORACLES.register_module()
class FolderOracle(Oracle):
    """Writes each request into a folder and reads the answers that annotators put there.

    ``<annotation_dir>/round_003`` holds ``README.txt``, the images, the request as masks and as
    outlines, and the predictions of the network; the answers belong into
    ``answers/<image id>.png``. The run stops until all of them exist; resume it with ``--resume``.

    Args:
        annotation_dir: Folder of the rounds; ``<work_dir>/annotation`` by default.
        accept_partial: Whether the run continues as soon as one image is answered. This closes
            the round: images without an answer are not charged and may be requested again.
    """

    who = 'people'

    def __init__(self, annotation_dir: str | None = None, accept_partial: bool = False) -> None:
        self._annotation_dir, self.accept_partial = annotation_dir, accept_partial

    def bind(self, dataset: dict, work_dir: Path, num_classes: int) -> None:
        """See the base class."""
        super().bind(dataset, work_dir, num_classes)
        self.annotation_dir = Path(self._annotation_dir or Path(work_dir, 'annotation'))
        LabelSet(tuple(self.images.dataset.metainfo['classes']))  # refuses two of one name

    def round_dir(self, request: SealedRequest) -> Path:
        """Folder of a request."""
        return self.annotation_dir / f'round_{request.number:03d}'

    def answer(
        self, request: SealedRequest, predict: Callable[[str], np.ndarray]
    ) -> Iterator[tuple[str, np.ndarray, dict]] | Pending:
        """Writes the request folder if it does not exist yet, and reads the answers in it.

        Raises:
            UserError: An answer is not a complete PNG, or has a wrong size or wrong class ids; the
                message names the file. Nothing is lost: correct the file and resume.
        """
        path = self.round_dir(request)
        files = {i: self.images.path(self.index(i)) for i in request.images}
        classes = self.images.dataset.metainfo['classes']
        write_request_folder(path, request, files, classes, predict)
        answered = [i for i in request.images if _answer_file(path, i).is_file()]
        missing = [i for i in request.images if i not in set(answered)]
        strays = _strays(path / ANSWERS, answered)
        if missing and not (self.accept_partial and answered):
            for image_id in answered:  # reports invalid files early
                self._read(path, image_id, request.mask(image_id))
            return Pending(_instruction(path, missing, len(request.images), strays))
        if strays:
            text = f'{some_of(strays)} ignored, because these images were not requested'
            print_log(f'{path / ANSWERS}: {text}', 'current')
        if missing:
            text = f'{len(missing)} of {len(request.images)} images are not answered'
            print_log(f'Round {request.number}: {text} ({some_of(missing)})', 'current')
        return self._items(path, answered, request)

    def look_back(self, request: SealedRequest, answer: SealedAnswer) -> None:
        """Warns of files that arrived after their round was closed, see ``accept_partial``."""
        path = self.round_dir(request)
        unused = (i for i in request.images if i not in answer.images)
        late = [i for i in unused if _answer_file(path, i).is_file()]
        if late:
            print_log(
                f'{len(late)} answers arrived after round {request.number} was closed '
                f'({some_of(late)}): they are not used; give them again if their pixels are '
                'requested again',
                'current',
                logging.WARNING,
            )

    def _items(
        self, path: Path, ids: list[str], request: SealedRequest
    ) -> Iterator[tuple[str, np.ndarray, dict]]:
        for image_id in ids:
            mask = request.mask(image_id)
            labels = self._read(path, image_id, mask)
            dropped = int((labels != IGNORE_INDEX)[~mask].sum())
            if dropped:
                text = f'{dropped} labels outside of the request are not used'
                print_log(f'{_answer_file(path, image_id)}: {text}', 'current')
            unlabelled = int((labels == IGNORE_INDEX)[mask].sum())
            labels = np.where(mask, labels, IGNORE_INDEX).astype(np.uint8)
            yield image_id, labels, dict(dropped=dropped, unlabelled=unlabelled)

    def _read(self, path: Path, image_id: str, mask: np.ndarray) -> np.ndarray:
        """``(H, W)`` uint8 labels of a file, checked inside of the request."""
        file = _answer_file(path, image_id)
        labels = decode(file.read_bytes(), str(file))
        if labels.dtype == bool:
            raise UserError(
                f'{file} has 1 bit per pixel, which cannot hold class ids and 255: write it with 8 '
                'bits, then resume'
            )
        if labels.shape != mask.shape:
            raise UserError(
                f'{file} is {labels.shape[1]}x{labels.shape[0]} pixels, its image '
                f'{mask.shape[1]}x{mask.shape[0]}: write it in the size of the image, then resume'
            )
        foreign = foreign_ids(labels[mask], self.num_classes)
        if foreign:
            raise UserError(
                f'{file} has the class ids {foreign} inside of the request, but there are '
                f'{self.num_classes} classes (0 to {self.num_classes - 1}; 255 = cannot be said): '
                'correct it, then resume'
            )
        return labels


def _answer_file(path: Path, image_id: str) -> Path:
    return path / ANSWERS / f'{image_id}.png'


def _strays(folder: Path, answered: list[str]) -> list[str]:
    """Files among the answers that belong to no requested image; hidden files do not count."""
    known = {f'{image_id}.png' for image_id in answered}
    names = (p.relative_to(folder).as_posix() for p in folder.rglob('[!.]*') if p.is_file())
    return sorted(name for name in names if name not in known)


def _instruction(path: Path, missing: list[str], num: int, strays: list[str]) -> str:
    names = some_of([f'{image_id}.png' for image_id in missing])
    text = (
        f'waiting for annotators: {len(missing)} of {num} answers are missing in {path / ANSWERS} '
        f'({names}); follow {path / "README.txt"}, then start again with --resume'
    )
    if not strays:
        return text
    return f'{text}; {some_of(strays)} does not belong to a requested image: wrong name?'
