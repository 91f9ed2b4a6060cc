"""What people have said: collected from any tool, checked, and put where FolderOracle reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from ...models.utils.pixel_losses import IGNORE_INDEX
from ...utils.errors import UserError
from ...utils.files import StoreError, write_file
from ..store.label_png import decode, encode_labels
from .request import Request


class Answer:
    """Labels of one image, painted one over the other.

    Attributes:
        labels: ``(H, W)`` uint8 class ids; 255 where nothing is said, or that it can not be said.
        said: ``(H, W)`` bool: where anything is said. What a tool shows as background is not.
        unread: How many shapes of which kind were not understood.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.labels = np.full(size, IGNORE_INDEX, np.uint8)
        self.said = np.zeros(size, bool)
        self.unread: Counter[str] = Counter()

    def paint(self, mask: np.ndarray, value: int) -> None:
        """Gives a class id (255: can not be said) to the pixels of ``(H, W)`` bool."""
        self.labels[mask] = value
        self.said |= mask

    def paint_point(self, x: float, y: float, value: int) -> None:
        """Gives a class id to the pixel that a point lies in; none off the image."""
        row, column = int(np.floor(y)), int(np.floor(x))
        if 0 <= row < self.said.shape[0] and 0 <= column < self.said.shape[1]:
            self.labels[row, column], self.said[row, column] = value, True


def check_size(where: str, found: tuple[int, int], size: tuple[int, int]) -> None:
    """Refuses labels of another size than their image.

    Args:
        where: They were found.
        found: Their height and width.
        size: That of the image.

    Raises:
        UserError: They differ.
    """
    if tuple(found) != tuple(size):
        raise UserError(
            f'{where} is {found[1]}x{found[0]} pixels, its image {size[1]}x{size[0]}: label the '
            'images that were handed out, in their own size'
        )


@dataclass
class Summary:
    """What an import did.

    Attributes:
        written: Images with a new answer.
        kept: Images whose answer was there already.
        replaced: Images whose answer was another one before.
        missing: Images of which nothing is said.
        unsaid: Asked and unsaid pixels, by image that something is said of.
        dropped: Labelled pixels that were not asked.
        foreign: Images in the export that were not asked.
        unread: How many shapes of which kind were not understood.
    """

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unsaid: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    foreign: int = 0
    unread: Counter[str] = field(default_factory=Counter)


def write_answers(
    found: Iterable[tuple[str | None, Answer]],
    request: Request,
    folder: Path,
    overwrite: bool = False,
) -> Summary:
    """Writes a PNG of class ids for every image that something is said of, all or none.

    Args:
        found: Image id (``None``: was not asked) and what is said of it.
        request: Decides what is an answer: the rest is dropped and counted.
        folder: For ``<image id>.png``.
        overwrite: Whether answers that are there and differ are replaced.

    Raises:
        UserError: An image has two answers, or one that is there differs; nothing is written.
    """
    summary, contents = Summary(), {}
    for image_id, answer in found:
        summary.unread += answer.unread
        if image_id is None:
            summary.foreign += 1
            continue
        labels = _reduced(image_id, answer, request, summary)
        if labels is None:
            continue
        if image_id in contents:
            raise UserError(
                f'{image_id} has two answers in the export: delete one of them and export again'
            )
        contents[image_id] = encode_labels(labels)
        state = _compare(folder / f'{image_id}.png', labels, request.asked(image_id))
        getattr(summary, state).append(image_id)
    summary.missing = [i for i in sorted(request.sizes) if i not in contents]
    if summary.replaced and not overwrite:
        _refuse(folder / f'{summary.replaced[0]}.png', len(summary.replaced))
    for image_id in summary.written + summary.replaced:
        write_file(folder / f'{image_id}.png', contents[image_id])
    return summary


def _refuse(path: Path, num: int) -> NoReturn:
    raise UserError(
        f'{path} ({num} in all) holds another answer: give --overwrite to replace it; nothing was '
        'written'
    )


def _reduced(
    image_id: str, answer: Answer, request: Request, summary: Summary
) -> np.ndarray | None:
    """``(H, W)`` labels of what was asked; ``None`` if nothing is said of it."""
    asked = request.asked(image_id)
    summary.dropped += int((answer.said & ~asked).sum())
    said = answer.said & asked
    if not said.any():
        return None
    unsaid = int((asked & ~said).sum())
    if unsaid:
        summary.unsaid[image_id] = unsaid
    return np.where(said, answer.labels, IGNORE_INDEX).astype(np.uint8)


def _compare(path: Path, labels: np.ndarray, asked: np.ndarray) -> str:
    """Which list of the :class:`Summary` an answer belongs to."""
    if not path.exists():
        return 'written'
    try:
        old = decode(path.read_bytes(), str(path))
    except StoreError:
        return 'replaced'
    same = old.shape == labels.shape and np.array_equal(old[asked], labels[asked])
    return 'kept' if same and old.dtype == np.uint8 else 'replaced'
