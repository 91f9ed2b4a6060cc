"""The file that the page saves: labels of one request, by one annotator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ..answers import ImageLabels
from ..label_set import LabelSet
from ..readers.documents import parse_json
from ..readers.pictures import check_size

FORMAT, VERSION = 'mmseg_tsf annotate', 1
MAX_SECONDS = 1e9
"""Longest time of a unit; thirty years."""
AGAIN = 'save it from the page again'


@dataclass
class UnitTime:
    """Time that one region, or one group of pixels, took.

    Attributes:
        first: Position of its first pixel, counted along the rows from the upper left.
        pixels: Number of its pixels.
        seconds: Seconds in which the annotator worked on it; pauses do not count.
    """

    first: int
    pixels: int
    seconds: float


@dataclass
class SavedWork:
    """Content of a saved file.

    Attributes:
        where: Name of the file, for error messages.
        number: Number of the round.
        request: Digest of the request.
        annotator: Name that the annotator gave, possibly empty.
        images: Entries of the file by image id, which the methods check.
        num_classes: Number of classes K.
    """

    where: str
    number: int
    request: str
    annotator: str
    images: dict[str, object]
    num_classes: int

    def labels(self, image_id: str, size: tuple[int, int]) -> ImageLabels:
        """Labels of an image, once all of its values are checked.

        Args:
            image_id: Image id, as in the file.
            size: Height and width that the labels must have.

        Raises:
            UserError: The entry is damaged; the message names the place.
        """
        place = f'{self.where}: {image_id}'
        labels = _read_labels(self._entry(image_id), size, self.num_classes, place)
        self.times(image_id, size)
        return labels

    def times(self, image_id: str, size: tuple[int, int]) -> list[UnitTime]:
        """Times of the answered units of an image; see :meth:`labels`."""
        place = f'{self.where}: {image_id}'
        return _read_times(self._entry(image_id).get('units'), size, place)

    def _entry(self, image_id: str) -> dict:
        entry = self.images[image_id]
        if not isinstance(entry, dict):
            raise UserError(f'{self.where}: {image_id} has no labels: {AGAIN}')
        return entry


def read_saved_work(content: bytes, labels: LabelSet, where: str) -> SavedWork:
    """Reads a saved file and checks what is not about single images.

    Args:
        content: Content of the file.
        labels: Labels that people could choose from.
        where: Name of the file, for error messages.

    Raises:
        UserError: The file is not from the page, has other classes, or is damaged; the message
            names the place.
    """
    saved = _parse(content, where)
    if saved.get('classes') != list(labels.names):
        raise UserError(
            f'{where} has the classes {_short(saved.get("classes"))}, the request '
            f'{list(labels.names)!r}: answer the page of this request'
        )
    number, request = saved.get('round'), saved.get('request')
    if type(number) is not int or not isinstance(request, str):
        raise UserError(f'{where} does not say to which request it belongs: {AGAIN}')
    annotator, images = saved.get('annotator'), saved.get('images')
    if not isinstance(annotator, str) or not isinstance(images, dict):
        raise UserError(f'{where} has no annotator or no images: {AGAIN}')
    return SavedWork(where, number, request, annotator, images, len(labels.classes))


def _parse(content: bytes, where: str) -> dict:
    saved = parse_json(content, where)
    if not isinstance(saved, dict) or saved.get('format') != FORMAT:
        raise UserError(f'{where} was not saved by annotate.html: give the file that it saves')
    if saved.get('version') != VERSION:
        raise UserError(
            f'{where} has the version {_short(saved.get("version"))} of the format, and this '
            f'program reads version {VERSION}: use the program that wrote the page'
        )
    return saved


def _read_labels(image: dict, size: tuple[int, int], classes: int, where: str) -> ImageLabels:
    """Labels of an image from its runs: gap after the run before, length, class id."""
    found = image.get('size')
    if not (_is_numbers(found) and len(found) == 2):
        raise UserError(f'{where} has no size: {AGAIN}')
    check_size(where, found, size)
    runs = image.get('runs')
    if not _is_numbers(runs) or len(runs) % 3:
        raise UserError(f'{where} has runs that are not triples of whole numbers: {AGAIN}')
    gaps, lengths, values = runs[0::3], runs[1::3], runs[2::3]
    if min(gaps, default=0) < 0 or min(lengths, default=1) < 1:
        raise UserError(f'{where} has a run without pixels: {AGAIN}')
    if sum(gaps) + sum(lengths) > size[0] * size[1]:  # whole numbers of any size
        raise UserError(f'{where} has runs that leave the image: {AGAIN}')
    foreign = sorted({v for v in values if not 0 <= v < classes and v != IGNORE_INDEX})
    if foreign:
        raise UserError(
            f'{where} has the class ids {foreign[:5]}, but the classes are 0 to {classes - 1}, '
            f'and {IGNORE_INDEX} = cannot be said: {AGAIN}'
        )
    return _paint(size, np.array([gaps, lengths, values], np.int64))


def _paint(size: tuple[int, int], runs: np.ndarray) -> ImageLabels:
    """Labels from ``(3, R)`` gaps, lengths and class ids."""
    gaps, lengths, values = runs
    first = (gaps + lengths).cumsum() - lengths
    place = np.repeat(first - (lengths.cumsum() - lengths), lengths) + np.arange(lengths.sum())
    labels = ImageLabels(size)
    labels.labels.reshape(-1)[place] = np.repeat(values, lengths)
    labels.labelled.reshape(-1)[place] = True
    return labels


def _read_times(units: object, size: tuple[int, int], where: str) -> list[UnitTime]:
    times = []
    for unit in units if isinstance(units, list) else [None]:
        fits = isinstance(unit, list) and len(unit) == 3 and _is_numbers(unit[:2])
        if not (fits and type(unit[2]) in (int, float) and 0 <= unit[2] <= MAX_SECONDS):
            raise UserError(f'{where} has the unit {_short(unit)} without its time: {AGAIN}')
        first, pixels, seconds = unit
        if not (first >= 0 and pixels >= 1 and first + pixels <= size[0] * size[1]):
            raise UserError(f'{where} has the unit {_short(unit)} that leaves the image: {AGAIN}')
        times.append(UnitTime(first, pixels, float(seconds)))
    return times


def _short(value: object) -> str:
    """A value for an error message."""
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:80]}...'


def _is_numbers(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int for value in values)
