"""LabelMe: one JSON file beside each image, with polygons, boxes, circles, points and masks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ....utils.files import MANIFEST
from ...registry import EXCHANGE_FORMATS
from ..annotation_plan import predicted_pieces
from ..answers import ImageLabels
from ..label_set import ASKED, LabelSet
from ..readers.documents import parse_json
from ..readers.pictures import check_size, read_mask
from ..readers.values import BrokenShape, brief, points, whole
from ..shapes.figures import ellipse, rectangle
from ..shapes.outlines import cut_holes, outlines
from ..tool_export import ToolExport
from .base import ExchangeFormat, Package, PackedImage, Parse

WITHOUT_AREA = ('line', 'linestrip')
README = """\
LabelMe:

1. Open the folder of the images, images/{tag}, with labels.txt: labelme --labels labels.txt.
   The shapes "asked" outline the request and mark single pixels; shapes of other labels are
   predictions of the network: keep them, redraw them, or give them another label.
2. Label with polygons, masks, rectangles or circles, and single pixels with points. Use "cannot be
   said" where you cannot tell the class. Later shapes in the list lie on top.
3. The export is the folder of the JSON files (or this folder, or a zip archive of either).
"""


@EXCHANGE_FORMATS.register_module(name='labelme')
class LabelMeFormat(ExchangeFormat):
    """The files of LabelMe."""

    def write_package(self, package: Package) -> str:
        """Writes images, each with the file of its shapes beside it, and the list of labels."""
        for packed in package.write_images(package.tag):
            name = PurePosixPath('images', package.tag, packed.file_name).with_suffix('.json')
            content = json.dumps(describe(packed, package.labels)).encode()
            package.writer.add(str(name), content)
        names = '\n'.join([*package.labels.palette, ASKED, ''])
        package.writer.add('labels.txt', names.encode())
        return README.format(tag=package.tag)

    def read(self, export: ToolExport, labels: LabelSet) -> Iterator[tuple[str, Parse]]:
        """See the base class."""
        names = [name for name in export.names if name.lower().endswith('.json')]
        if not names:
            raise UserError(f'{export.path} holds no JSON file: give the folder that LabelMe wrote')
        for name in names:
            if name.rpartition('/')[2] != MANIFEST:
                yield name, partial(_parse, export, name, labels)


def describe(packed: PackedImage, labels: LabelSet) -> dict:
    """Content of the file of an image with the request, and the predictions on top of it."""
    image, plan = packed.image, packed.plan
    shapes = [_polygon(ASKED, region) for region in plan.regions()]
    shapes += [_polygon(labels.names[i], piece) for i, piece in predicted_pieces(image, plan)]
    for x, y in plan.points.tolist():
        value = IGNORE_INDEX if image.prelabels is None else int(image.prelabels[y, x])
        name = ASKED if value == IGNORE_INDEX else labels.names[value]
        shapes.append(_shape(name, 'point', [[x + 0.5, y + 0.5]]))
    height, width = image.asked.shape
    file = PurePosixPath(packed.file_name).name
    content = dict(version='5.5.0', flags={}, shapes=shapes, imagePath=file, imageData=None)
    return dict(content, imageHeight=height, imageWidth=width)


def parse_shapes(
    content: object, labels: LabelSet, size: tuple[int, int], where: str
) -> ImageLabels:
    """Labels that the shapes of a file give, later ones on top.

    Args:
        content: Content of the JSON file.
        labels: Labels to choose from.
        size: Height and width of the image.
        where: Place of the file, for error messages.

    Raises:
        UserError: The content has another form, the size is wrong, or a label is unknown.
    """
    if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
        raise UserError(f'{where} has no list of shapes: give the files that LabelMe wrote')
    try:
        own = whole(content.get('imageHeight')), whole(content.get('imageWidth'))
    except BrokenShape as error:
        raise UserError(f'{where} has no size of its image ({error}): save it again') from None
    check_size(where, own, size)
    found = ImageLabels(size)
    for shape in content['shapes']:
        kind = shape.get('shape_type') if isinstance(shape, dict) else None
        with found.shape(kind if isinstance(kind, str) else 'shape'):
            if not isinstance(kind, str) or not isinstance(shape.get('label'), str):
                raise BrokenShape('it has no type or no label')
            value = labels.value(shape['label'], where)
            if value is not None and kind not in WITHOUT_AREA:
                _paint(found, kind, shape, value)
    return found


def _paint(found: ImageLabels, kind: str, shape: dict, value: int) -> None:
    size = found.size
    corners = points(shape.get('points', []), size)
    if kind == 'polygon':
        found.paint_rings([corners], value)
    elif kind in ('point', 'points'):
        for x, y in corners.tolist():
            found.paint_point(x, y, value)
    elif kind in ('rectangle', 'circle', 'mask') and len(corners) != 2:
        raise BrokenShape(f'it has {len(corners)} points, not 2')
    elif kind == 'rectangle':
        box = *corners.min(0).tolist(), *corners.max(0).tolist()
        found.paint_rings([rectangle(box, 0, (0, 0), size)], value)
    elif kind == 'circle':
        radius = math.dist(*corners.tolist())
        top, left, mask = ellipse(tuple(corners[0]), (radius, radius), 0, size)
        found.paint(mask, value, top, left)
    elif kind == 'mask':
        (left, top), (right, bottom) = corners.round().astype(int).tolist()
        if not (0 <= left <= right < size[1] and 0 <= top <= bottom < size[0]):
            raise BrokenShape('its box leaves the image')
        mask = read_mask(shape.get('mask'), (bottom - top + 1, right - left + 1))
        found.paint(mask, value, top, left)
    else:
        found.unread[brief(kind)] += 1


def _parse(export: ToolExport, name: str, labels: LabelSet, size: tuple[int, int]) -> ImageLabels:
    where = f'{export.path}: {brief(name)}'
    return parse_shapes(parse_json(export.read(name), where), labels, size, where)


def _polygon(label: str, mask: np.ndarray) -> dict:
    return _shape(label, 'polygon', cut_holes(outlines(mask)).tolist())


def _shape(label: str, kind: str, corners: list) -> dict:
    return dict(label=label, shape_type=kind, points=corners, group_id=None, flags={})
