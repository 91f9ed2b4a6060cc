"""Labels from any annotation tool: collected, checked, and written where ``FolderOracle`` reads."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError
from ...utils.files import StoreError, write_file
from ..store.label_png import decode, encode_labels, foreign_ids
from .readers.values import BrokenShape, brief
from .request import RequestFolder
from .shapes.outlines import fill_box


class ImageLabels:
    """Labels of one image, painted shape by shape.

    Args:
        size: Height and width.

    Attributes:
        labels: ``(H, W)`` uint8 class ids; 255 where there is no label or its class cannot be said.
        labelled: ``(H, W)`` bool mask of the pixels that carry a label, "cannot be said" included.
        unread: Number of shapes of each kind that were not understood.
        broken: Number of shapes of each kind, with the fault, that cannot be read.
        implied: Whether 255 may also mean that nothing was said.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.labels = np.full(size, IGNORE_INDEX, np.uint8)
        self.labelled = np.zeros(size, bool)
        self.unread: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.implied = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.labelled.shape

    def paint(self, mask: np.ndarray, value: int, top: int = 0, left: int = 0) -> None:
        """Gives a class id to pixels.

        Args:
            mask: ``(h, w)`` bool mask of a part of the image.
            value: Class id; 255: cannot be said.
            top: First row of the part.
            left: First column of the part.
        """
        rows, columns = slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])
        np.copyto(self.labels[rows, columns], np.uint8(value), where=mask)
        self.labelled[rows, columns] |= mask

    def paint_rings(self, rings: Sequence[np.ndarray], value: int) -> None:
        """Gives a class id to the pixels inside of rings, see :func:`~.shapes.outlines.fill`."""
        top, left, mask = fill_box(rings, self.size)
        self.paint(mask, value, top, left)

    def paint_point(self, x: float, y: float, value: int) -> None:
        """Gives a class id to the pixel that contains a point; ignores points off the image."""
        row, column = int(np.floor(y)), int(np.floor(x))
        if 0 <= row < self.labelled.shape[0] and 0 <= column < self.labelled.shape[1]:
            self.labels[row, column], self.labelled[row, column] = value, True

    @contextlib.contextmanager
    def shape(self, kind: object) -> Iterator[None]:
        """Context that reads one shape; a broken one is counted and left out.

        Args:
            kind: Name of the kind of shape.
        """
        try:
            yield
        except BrokenShape as error:
            self.broken[f'{brief(kind)} ({error})'] += 1


Outcome = ImageLabels | UserError | None
"""What an export says about an image: labels, an error, or nothing that was requested."""


@dataclass
class ImportSummary:
    """Result of an import.

    Attributes:
        written: Images with a new answer.
        kept: Images whose answer existed already.
        replaced: Images whose answer differed before.
        missing: Images without any label.
        said: Number of requested pixels with each label: class ids, and 255 where an annotator
            says that the class cannot be said.
        unlabelled: Number of requested pixels without a label, by image that has some labels.
        dropped: Number of pixels with a class that were not requested.
        outside: Images with classes outside of the request only.
        foreign: Names of images or files in the export that were not requested.
        unread: Number of shapes of each kind that were not understood.
        broken: Number of shapes of each kind, with the fault, that cannot be read.
        damaged: Images with such shapes.
        faults: Errors for which nothing is written.
    """

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    said: Counter[int] = field(default_factory=Counter)
    unlabelled: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    outside: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def answered(self) -> list[str]:
        """Images with an answer, new or old."""
        return self.written + self.kept + self.replaced


def write_answers(
    found: Iterable[tuple[str, Outcome]],
    request: RequestFolder,
    folder: Path,
    overwrite: bool = False,
    check: bool = False,
    announce: Callable[[dict[str, bytes]], None] | None = None,
) -> ImportSummary:
    """Writes a PNG of class ids for every image that has labels, all or none.

    Args:
        found: Id and labels of each image; name and ``None`` for one that was not requested, name
            and error for one that cannot be read.
        request: Request; labels outside of it are dropped and counted.
        folder: Folder for ``<image id>.png``.
        overwrite: Whether to replace existing answers that differ.
        check: Whether to collect all faults in the summary and write nothing.
        announce: Function that receives the contents of the files, by image id, right before the
            first of them is written.

    Raises:
        UserError: An image cannot be read or has two answers, or an existing answer differs;
            nothing is written.
    """
    summary, contents = ImportSummary(), {}
    for name, outcome in found:
        if outcome is None:
            summary.foreign.append(name)
            continue
        try:
            _take(name, outcome, request, folder, summary, contents)
        except UserError as error:
            summary.faults.append(str(error))
    summary.missing = [i for i in sorted(request.images) if i not in contents]
    if summary.replaced and not overwrite:
        summary.faults.append(
            f'{folder / summary.replaced[0]}.png ({len(summary.replaced)} in all) holds another '
            'answer, so nothing was written: add --overwrite to replace it'
        )
    if check:
        return summary
    if summary.faults:
        more = len(summary.faults) - 1
        rest = f' ({more} more faults: --check lists them, too)' if more else ''
        raise UserError(summary.faults[0] + rest)
    new = {image_id: contents[image_id] for image_id in summary.written + summary.replaced}
    if announce is not None:
        announce(new)
    for image_id, content in new.items():
        write_file(folder / f'{image_id}.png', content)
    return summary


def _take(
    image_id: str,
    outcome: ImageLabels | UserError,
    request: RequestFolder,
    folder: Path,
    summary: ImportSummary,
    contents: dict[str, bytes],
) -> None:
    """Notes the labels of one image, and its PNG if it has any.

    Raises:
        UserError: It cannot be read, or has two answers.
    """
    if isinstance(outcome, UserError):
        raise outcome
    summary.unread += outcome.unread
    summary.broken += outcome.broken
    if outcome.broken:
        summary.damaged.append(image_id)
    asked = request.mask(image_id)
    labels = _requested_labels(image_id, outcome, asked, summary)
    if labels is None:
        return
    foreign = foreign_ids(labels, len(request.classes))
    if foreign:
        raise UserError(
            f'{image_id} has the class ids {foreign} inside of the request, but the classes are 0 '
            f'to {len(request.classes) - 1}, and 255 = cannot be said: correct it'
        )
    if image_id in contents:
        raise UserError(
            f'{image_id} has two answers in the export: delete one of them and export again'
        )
    contents[image_id] = encode_labels(labels)
    state = _compare(folder / f'{image_id}.png', labels, asked)
    getattr(summary, state).append(image_id)


def _requested_labels(
    image_id: str, found: ImageLabels, asked: np.ndarray, summary: ImportSummary
) -> np.ndarray | None:
    """``(H, W)`` labels inside of the request; ``None`` if there are none."""
    outside = int((found.labelled & ~asked & (found.labels != IGNORE_INDEX)).sum())
    summary.dropped += outside
    labelled = found.labelled & asked
    said = found.labels[labelled]
    if outside and (said == IGNORE_INDEX).all():
        summary.outside.append(image_id)
        if found.implied:
            raise UserError(
                f'{image_id} has classes outside of the request only: was it exported for another '
                'round? If no class can be said there indeed, write 255 outside of it, too'
            )
    if not labelled.any():
        return None
    unlabelled = int((asked & ~labelled).sum())
    if unlabelled:
        summary.unlabelled[image_id] = unlabelled
    ids, counts = np.unique(found.labels[labelled], return_counts=True)
    summary.said.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
    return np.where(labelled, found.labels, IGNORE_INDEX).astype(np.uint8)


def describe_void(said: Mapping[int, int]) -> list[str]:
    """Sentences on the pixels that were labelled as "cannot be said"; none without such pixels.

    Args:
        said: Number of pixels with each label.
    """
    void, total = said.get(IGNORE_INDEX, 0), sum(said.values())
    if not void:
        return []
    classes = [value for value, count in said.items() if count and value != IGNORE_INDEX]
    hint = ''
    if len(classes) < 2:
        others = f'and all others are {classes[0]}' if classes else 'and no pixel has a class'
        hint = f', {others}: if 255 stands for a class, write the id of that class there'
    return [
        f'{void:,} of {total:,} labelled pixels ({100 * void / total:.1f} %) are 255, "cannot be '
        f'said": they are charged, and nothing is learnt from them{hint}'
    ]


def _compare(path: Path, labels: np.ndarray, asked: np.ndarray) -> str:
    """Name of the list of the :class:`ImportSummary` to which an answer belongs."""
    if not path.exists():
        return 'written'
    try:
        old = decode(path.read_bytes(), str(path))
    except StoreError:
        return 'replaced'
    same = old.shape == labels.shape and np.array_equal(old[asked], labels[asked])
    return 'kept' if same and old.dtype == np.uint8 else 'replaced'
