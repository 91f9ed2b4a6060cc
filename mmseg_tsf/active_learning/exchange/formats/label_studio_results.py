"""Results in annotations of Label Studio: brushes, bitmasks, polygons, boxes, ellipses, points.

The same shape may come with labels of its own kind (``brushlabels``) or with those of a tag
``<Labels>`` (``labels``), so its geometry tells what it is.
"""

from __future__ import annotations

import numpy as np

from ....utils.errors import UserError
from ..answers import ImageLabels
from ..label_set import LabelSet
from ..readers.pictures import check_size, read_mask
from ..readers.values import BrokenShape, brief, number, points, whole
from ..shapes.figures import ellipse, rectangle
from ..shapes.rle import decode_label_studio

KINDS = (
    'brushlabels', 'bitmasklabels', 'polygonlabels', 'rectanglelabels', 'ellipselabels',
    'keypointlabels', 'labels',
)  # fmt: skip
"""Types of results that give a label to an area."""


def paint_result(found: ImageLabels, result: object, labels: LabelSet, where: str) -> None:
    """Paints one result, or counts it as unread.

    Clicks that steer a model such as SAM, unclosed polygons, and what has not exactly one label
    cover no pixel in Label Studio.

    Args:
        found: Labels of the image.
        result: Result of an annotation.
        labels: Labels to choose from.
        where: Place of the annotation, for error messages.

    Raises:
        BrokenShape: The result is malformed.
        UserError: The label is unknown, or the image had another size or was turned.
    """
    if not isinstance(result, dict):
        raise BrokenShape('it is not an object')
    kind, geometry = result.get('type'), result.get('value', {})
    if not isinstance(kind, str) or not isinstance(geometry, dict):
        raise BrokenShape('it has no type or no value')
    names = geometry.get(kind)
    if kind not in KINDS or not isinstance(names, list) or len(names) != 1:
        found.unread[brief(kind)] += 1
        return
    if not isinstance(names[0], str):
        raise BrokenShape('its label is not a name')
    value = labels.value(names[0], where)
    if value is None:
        return
    if 'is_positive' in result:
        found.unread[f'{brief(kind)} that steers a model'] += 1
        return
    _check_frame(result, found.size, where)
    _paint(found, geometry, value, kind)


def _paint(found: ImageLabels, geometry: dict, value: int, kind: str) -> None:
    size = found.size
    if 'rle' in geometry:
        found.paint(decode_label_studio(geometry['rle'], size), value)
    elif 'imageDataURL' in geometry:
        found.paint(read_mask(geometry['imageDataURL'], size), value)
    elif 'points' in geometry:
        ring = _scaled(geometry['points'], size)
        if geometry.get('closed') is False:
            found.unread[f'unclosed {brief(kind)}'] += 1
        else:
            found.paint_rings([ring], value)
    elif 'radiusX' in geometry:
        radii = _sides(geometry, ('radiusX', 'radiusY'), size)
        centre = _sides(geometry, ('x', 'y'), size)
        top, left, mask = ellipse(centre, radii, number(geometry.get('rotation', 0)), size)
        found.paint(mask, value, top, left)
    elif 'height' in geometry:
        left, top = _sides(geometry, ('x', 'y'), size)
        width, height = _sides(geometry, ('width', 'height'), size)
        degrees, box = number(geometry.get('rotation', 0)), (left, top, left + width, top + height)
        found.paint_rings([rectangle(box, degrees, (left, top), size)], value)
    elif 'x' in geometry:
        ((x, y),) = points([_sides(geometry, ('x', 'y'), size)], size)
        found.paint_point(x, y, value)
    else:
        raise BrokenShape('it has no geometry')


def _sides(geometry: dict, keys: tuple[str, str], size: tuple[int, int]) -> tuple[float, float]:
    """A horizontal and a vertical percentage in pixels."""
    x, y = (number(geometry.get(key)) for key in keys)
    return x * size[1] / 100, y * size[0] / 100


def _scaled(percents: object, size: tuple[int, int]) -> np.ndarray:
    """``(N, 2)`` points in pixels."""
    return points(percents, (100, 100)) * size[::-1] / 100


def _check_frame(result: dict, size: tuple[int, int], where: str) -> None:
    frame = (result.get('original_height'), result.get('original_width'))
    if None not in frame:
        check_size(where, tuple(map(whole, frame)), size)
    turned = number(result.get('image_rotation') or 0)
    if turned:
        raise UserError(
            f'{where} was rotated by {turned:g} degrees when it was labelled: rotate it back in '
            'Label Studio and export again'
        )
