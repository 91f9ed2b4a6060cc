"""Annotators who answer by files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError, some_of
from ..exchange.answers import describe_void
from ..exchange.label_set import LabelSet
from ..exchange.request_checks import ANSWERS
from ..exchange.request_folder import write_request_folder
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

        def picture(image_id: str) -> np.ndarray:
            return self.images.picture(self.index(image_id))

        classes = self.images.dataset.metainfo['classes']
        write_request_folder(path, request, files, classes, predict, picture)
        there = {i: answer_file(path, i).is_file() for i in request.images}
        answered, missing = ([i for i in there if there[i] == own] for own in (True, False))
        strays = stray_answers(path / ANSWERS, answered)
        if missing and not (self.accept_partial and answered):
            for image_id in answered:  # reports invalid files early
                read_answer(answer_file(path, image_id), request.mask(image_id), self.num_classes)
            return Pending(_instruction(path, missing, len(request.images), strays))
        if strays:
            text = f'{some_of(strays)} ignored, because these images were not requested'
            print_log(f'{path / ANSWERS}: {text}', 'current')
        if missing:
            text = f'{len(missing)} of {len(request.images)} images are not answered'
            print_log(f'Round {request.number}: {text} ({some_of(missing)})', 'current')
        return self._items(path, answered, request)

    def look_back(self, request: SealedRequest, answer: SealedAnswer) -> None:
        """Warns of files that arrived or were changed after their round was closed."""
        path = self.round_dir(request)
        unused = (i for i in request.images if i not in answer.images)
        late = [i for i in unused if answer_file(path, i).is_file()]
        if late:
            self._warn(
                f'{len(late)} answers arrived after round {request.number} was closed '
                f'({some_of(late)}): they are not used; give them again if their pixels are '
                'requested again'
            )
        changed = [i for i in answer.images if self._differs(path, i, request, answer)]
        if changed:
            self._warn(
                f'{len(changed)} answers were changed after round {request.number} was closed '
                f'({some_of(changed)}): the earlier ones are used; to replace them, run '
                f'python tools/active_learning/amend.py <folder of the run> --round '
                f'{request.number}'
            )

    @staticmethod
    def _warn(text: str) -> None:
        print_log(text, 'current', logging.WARNING)

    def _differs(
        self, path: Path, image_id: str, request: SealedRequest, answer: SealedAnswer
    ) -> bool:
        """Whether a file says something else than the stored answer, or cannot be read."""
        file = answer_file(path, image_id)
        if not file.is_file() or answer.holds(image_id, file.read_bytes()):
            return False
        mask = request.mask(image_id)
        try:
            labels = read_answer(file, mask, self.num_classes)
        except UserError:
            return True
        return not np.array_equal(labels[mask], answer.labels(image_id)[mask])

    def _items(
        self, path: Path, ids: list[str], request: SealedRequest
    ) -> Iterator[tuple[str, np.ndarray, dict]]:
        said: Counter[int] = Counter()
        for image_id in ids:
            mask = request.mask(image_id)
            labels = read_answer(answer_file(path, image_id), mask, self.num_classes)
            dropped = int((labels != IGNORE_INDEX)[~mask].sum())
            if dropped:
                text = f'{dropped} labels outside of the request are not used'
                print_log(f'{answer_file(path, image_id)}: {text}', 'current')
            values, counts = np.unique(labels[mask], return_counts=True)
            said.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
            unlabelled = int((labels == IGNORE_INDEX)[mask].sum())
            labels = np.where(mask, labels, IGNORE_INDEX).astype(np.uint8)
            yield image_id, labels, dict(dropped=dropped, unlabelled=unlabelled)
        for text in describe_void(said):
            print_log(f'Round {request.number}: {text}', 'current', logging.WARNING)


def read_answer(file: Path, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """``(H, W)`` uint8 labels of a file, checked inside of the request.

    Args:
        file: PNG of class ids, 255 = cannot be said.
        mask: ``(H, W)`` bool mask of the requested pixels.
        num_classes: Number of classes K.

    Raises:
        UserError: The file is not a complete PNG with 8 bits, or has a wrong size or class ids.
    """
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
    foreign = foreign_ids(labels[mask], num_classes)
    if foreign:
        raise UserError(
            f'{file} has the class ids {foreign} inside of the request, but there are '
            f'{num_classes} classes (0 to {num_classes - 1}; 255 = cannot be said): '
            'correct it, then resume'
        )
    return labels


def answer_file(path: Path, image_id: str) -> Path:
    """File of an answer in the folder of a request."""
    return path / ANSWERS / f'{image_id}.png'


def stray_answers(folder: Path, answered: list[str]) -> list[str]:
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
