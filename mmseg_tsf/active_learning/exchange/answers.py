"""Labels from any annotation tool: collected, checked, and written where ``FolderOracle`` reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...models.utils.labels import IGNORE_INDEX
from ...utils.errors import UserError
from ...utils.files import StoreError, write_file
from ..store.label_png import decode, encode_labels
from .request import RequestFolder


class ImageLabels:
    """Labels of one image, painted shape by shape.

    Args:
        size: Height and width.

    Attributes:
        labels: ``(H, W)`` uint8 class ids; 255 where there is no label or its class cannot be said.
        labelled: ``(H, W)`` bool mask of the pixels that carry a label, "cannot be said" included.
        unread: Number of shapes of each kind that were not understood.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.labels = np.full(size, IGNORE_INDEX, np.uint8)
        self.labelled = np.zeros(size, bool)
        self.unread: Counter[str] = Counter()

    def paint(self, mask: np.ndarray, value: int) -> None:
        """Gives a class id (255: cannot be said) to the pixels of an ``(H, W)`` bool mask."""
        self.labels[mask] = value
        self.labelled |= mask

    def paint_point(self, x: float, y: float, value: int) -> None:
        """Gives a class id to the pixel that contains a point; ignores points off the image."""
        row, column = int(np.floor(y)), int(np.floor(x))
        if 0 <= row < self.labelled.shape[0] and 0 <= column < self.labelled.shape[1]:
            self.labels[row, column], self.labelled[row, column] = value, True


def check_size(where: str, found: tuple[int, int], size: tuple[int, int]) -> None:
    """Checks that labels have the size of their image.

    Args:
        where: Place of the labels, for the error message.
        found: Height and width of the labels.
        size: Height and width of the image.

    Raises:
        UserError: The sizes differ.
    """
    if tuple(found) != tuple(size):
        raise UserError(
            f'{where} is {found[1]}x{found[0]} pixels, its image {size[1]}x{size[0]}: label the '
            'images of the package in their own size'
        )


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
        dropped: Number of labelled pixels that were not requested.
        foreign: Number of images in the export that were not requested.
        unread: Number of shapes of each kind that were not understood.
    """

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    said: Counter[int] = field(default_factory=Counter)
    unlabelled: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    foreign: int = 0
    unread: Counter[str] = field(default_factory=Counter)


def write_answers(
    found: Iterable[tuple[str | None, ImageLabels | None]],
    request: RequestFolder,
    folder: Path,
    overwrite: bool = False,
) -> ImportSummary:
    """Writes a PNG of class ids for every image that has labels, all or none.

    Args:
        found: Id and labels of each image; ``(None, None)`` for one that was not requested.
        request: Request; labels outside of it are dropped and counted.
        folder: Folder for ``<image id>.png``.
        overwrite: Whether to replace existing answers that differ.

    Raises:
        UserError: An image has two answers, or an existing one differs; nothing is written.
    """
    summary, contents = ImportSummary(), {}
    for image_id, image_labels in found:
        if image_id is None:
            summary.foreign += 1
            continue
        summary.unread += image_labels.unread
        asked = request.mask(image_id)
        labels = _requested_labels(image_id, image_labels, asked, summary)
        if labels is None:
            continue
        if image_id in contents:
            raise UserError(
                f'{image_id} has two answers in the export: delete one of them and export again'
            )
        contents[image_id] = encode_labels(labels)
        state = _compare(folder / f'{image_id}.png', labels, asked)
        getattr(summary, state).append(image_id)
    summary.missing = [i for i in sorted(request.images) if i not in contents]
    if summary.replaced and not overwrite:
        raise UserError(
            f'{folder / summary.replaced[0]}.png ({len(summary.replaced)} in all) holds another '
            'answer, so nothing was written: add --overwrite to replace it'
        )
    for image_id in summary.written + summary.replaced:
        write_file(folder / f'{image_id}.png', contents[image_id])
    return summary


def _requested_labels(
    image_id: str, found: ImageLabels, asked: np.ndarray, summary: ImportSummary
) -> np.ndarray | None:
    """``(H, W)`` labels inside of the request; ``None`` if there are none."""
    summary.dropped += int((found.labelled & ~asked).sum())
    labelled = found.labelled & asked
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
