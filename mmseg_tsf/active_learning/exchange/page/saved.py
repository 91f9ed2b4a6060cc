"""The file that the page saves: labels of one request, by one annotator."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ..answers import ImageLabels, check_size
from ..label_set import LabelSet
from ..request import RequestFolder

FORMAT, VERSION = 'mmseg_tsf annotate', 1
MAX_BYTES = 512 * 2**20
"""Largest file that is read: one byte per pixel of forty images of 4000x3000."""
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
        annotator: Name that the annotator gave, possibly empty.
        labels: Labels by image id.
        times: Times of the answered units by image id.
    """

    annotator: str
    labels: dict[str, ImageLabels] = field(default_factory=dict)
    times: dict[str, list[UnitTime]] = field(default_factory=dict)


def read_saved_work(
    content: bytes, request: RequestFolder, labels: LabelSet, where: str
) -> SavedWork:
    """Reads a saved file and checks all of its values.

    Args:
        content: Content of the file.
        request: Request to which it must answer.
        labels: Labels that people could choose from.
        where: Name of the file, for error messages.

    Raises:
        UserError: The file is not from the page, answers another request, or is damaged; the
            message names the place.
    """
    saved = _parse(content, where)
    if saved.get('request') != request.digest:
        raise UserError(
            f'{where} answers another request (round {_short(saved.get("round"))}): give the file '
            f'that was saved from the page of round {request.number}'
        )
    if saved.get('classes') != list(labels.names):
        raise UserError(
            f'{where} has the classes {_short(saved.get("classes"))}, the request '
            f'{list(labels.names)!r}: answer the page of this request'
        )
    annotator, images = saved.get('annotator'), saved.get('images')
    if not isinstance(annotator, str) or not isinstance(images, dict):
        raise UserError(f'{where} has no annotator or no images: {AGAIN}')
    work = SavedWork(annotator)
    for image_id, image in images.items():
        place = f'{where}: {image_id}'
        if image_id not in request.images or not isinstance(image, dict):
            raise UserError(f'{place} is not an image of the request: {AGAIN}')
        size = request.sizes[image_id]
        work.labels[image_id] = _read_labels(image, size, len(labels.classes), place)
        work.times[image_id] = _read_times(image.get('units'), size, place)
    return work


def _parse(content: bytes, where: str) -> dict:
    if len(content) > MAX_BYTES:
        raise UserError(
            f'{where} has {len(content):,} bytes, and at most {MAX_BYTES:,} are read: label the '
            'request in several parts'
        )
    try:
        saved = json.loads(content)
    except (ValueError, RecursionError):  # also what is not UTF-8
        raise UserError(f'{where} is not complete JSON: {AGAIN}') from None
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
