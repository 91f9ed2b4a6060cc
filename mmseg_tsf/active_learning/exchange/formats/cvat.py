"""CVAT: a task to upload, and the two exports that keep what people have drawn.

A request is shown as closed polylines with the label :data:`~.label_set.ASKED`, which no export
takes for a mask; predictions are masks, one per class and region; single pixels are points.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ...registry import EXCHANGE_FORMATS
from ..annotation_plan import predicted_pieces
from ..answers import ImageLabels
from ..label_set import ASKED, ASKED_COLOUR, LabelSet, as_hex
from ..readers.documents import parse_xml
from ..readers.pictures import check_size
from ..readers.values import BrokenShape, brief, number, points, whole
from ..shapes.figures import ellipse, rectangle
from ..shapes.outlines import outlines
from ..shapes.rle import decode_box, encode_cvat
from ..tool_export import ToolExport
from .base import ExchangeFormat, Package, PackedImage, Parse
from .cvat_masks import CLASS_FOLDER, read_masks

WITHOUT_AREA = ('polyline', 'tag')
"""Shapes that cover no pixel, among them the outlines of the request."""

README = """\
CVAT:

1. Create a task with the labels of labels.json (tab "Raw") and the images of images.zip, image
   quality 100. From a command line (pip install cvat-cli; the server's address goes before "task"):

     cvat-cli task create "round {number}" --labels labels.json --image_quality 100 \\
       --annotation_path annotations.xml --annotation_format "CVAT 1.1" local images.zip

2. In the browser, upload annotations.xml to the task ("Upload annotations", "CVAT 1.1"), unless
   the command above has done so.
3. Label inside of the closed yellow lines ("asked"), with masks or polygons. The masks that exist
   already are predictions of the network: keep them, redraw them, or give them another label. A
   point asks for the class of the one pixel below it: give it the right label. Use "cannot be
   said" where you cannot tell the class. The topmost shape counts.
4. Export the task as "CVAT for images 1.1" (points come along) or as "Segmentation mask 1.1"
   (without points), without images.
"""


@EXCHANGE_FORMATS.register_module(name='cvat')
class CVATFormat(ExchangeFormat):
    """A task for CVAT; reads *CVAT for images 1.1* and *Segmentation mask 1.1*."""

    def write_package(self, package: Package) -> str:
        """Writes images, annotations and labels of a task."""
        elements, path = [], package.writer.path / 'images.zip'
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as archive:
            for packed in package.images:
                archive.writestr(f'{package.tag}/{packed.file_name}', packed.content)
                element = image_element(len(elements), packed, package.labels)
                element.set('name', f'{package.tag}/{packed.file_name}')
                elements.append(element)
        with open(path, 'rb') as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        package.writer.files['images.zip'] = digest.hexdigest()
        package.writer.add('annotations.xml', annotations(elements, package.labels))
        specs = json.dumps(label_specs(package.labels), indent=1)
        package.writer.add('labels.json', specs.encode())
        return README.format(number=package.number)

    def read(self, export: ToolExport, labels: LabelSet) -> Iterable[tuple[str, Parse]]:
        """See the base class."""
        if any(f'/{CLASS_FOLDER}' in f'/{name}' for name in export.names):
            return read_masks(export, labels)
        return _read_xml(export, labels)


def label_specs(labels: LabelSet) -> list[dict]:
    """Labels in the form that the "Raw" tab of CVAT and ``cvat-cli --labels`` take."""
    palette = {**labels.palette, ASKED: ASKED_COLOUR}
    return [
        dict(name=name, color=as_hex(rgb), type='any', attributes=[])
        for name, rgb in palette.items()
    ]


def image_element(number: int, packed: PackedImage, labels: LabelSet) -> Element:
    """``<image>`` of *CVAT 1.1* with the request and the predictions.

    Args:
        number: Number of the frame, counted from 0.
        packed: Image.
        labels: Labels to choose from.
    """
    image, plan = packed.image, packed.plan
    height, width = image.asked.shape
    size = dict(width=str(width), height=str(height))
    element = Element('image', id=str(number), name=packed.file_name, **size)
    for value, mask in predicted_pieces(image, plan):
        add_mask(element, labels.names[value], mask)
    for region in plan.regions():
        for ring in outlines(region):
            _add(element, 'polyline', ASKED, 1, points=_points([*ring, ring[0]]))
    for x, y in plan.points.tolist():
        value = IGNORE_INDEX if image.prelabels is None else int(image.prelabels[y, x])
        name = ASKED if value == IGNORE_INDEX else labels.names[value]
        _add(element, 'points', name, 2, points=_points([(x + 0.5, y + 0.5)]))
    return element


def add_mask(element: Element, label: str, mask: np.ndarray, z_order: int = 0) -> None:
    """Appends an ``(H, W)`` bool mask to an ``<image>`` in the form that CVAT writes."""
    lengths, (left, top, width, height) = encode_cvat(mask)
    box = dict(left=str(left), top=str(top), width=str(width), height=str(height))
    _add(element, 'mask', label, z_order, rle=', '.join(map(str, lengths)), **box)


def annotations(images: Iterable[Element], labels: LabelSet) -> bytes:
    """*CVAT 1.1* file with ``<image>`` elements."""
    root = Element('annotations')
    SubElement(root, 'version').text = '1.1'
    known = SubElement(SubElement(SubElement(root, 'meta'), 'task'), 'labels')
    for spec in label_specs(labels):
        label = SubElement(known, 'label')
        SubElement(label, 'name').text = spec['name']
        SubElement(label, 'color').text = spec['color']
    root.extend(images)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding='utf-8', xml_declaration=True)


def parse_image(
    element: Element, labels: LabelSet, size: tuple[int, int], where: str
) -> ImageLabels:
    """Labels that the shapes of an ``<image>`` give, those of a higher ``z_order`` on top.

    Args:
        element: ``<image>`` of *CVAT for images 1.1*.
        labels: Labels to choose from.
        size: Height and width of the image.
        where: Place of the element, for error messages.

    Raises:
        UserError: The size is wrong, or a label is unknown.
    """
    found, shapes = ImageLabels(size), []
    try:
        own = whole(element.get('height')), whole(element.get('width'))
    except BrokenShape as error:
        raise UserError(f'{where} has no size ({error}): export it again') from None
    check_size(where, own, size)
    for shape in element:
        if shape.tag in WITHOUT_AREA:
            continue
        value = labels.value(shape.get('label', ''), where)
        if value is not None:
            with found.shape(shape.tag):
                shapes.append((whole(shape.get('z_order', 0)), shape, value))
    for _, shape, value in sorted(shapes, key=lambda entry: entry[0]):
        with found.shape(shape.tag):
            _paint(found, shape, value)
    return found


def _paint(found: ImageLabels, shape: Element, value: int) -> None:
    size = found.size
    if shape.tag == 'mask':
        left, top, width, height = (
            whole(shape.get(key)) for key in ('left', 'top', 'width', 'height')
        )
        lengths = shape.get('rle', '')
        if lengths.strip():
            mask = decode_box(lengths, (left, top, width, height), size)
            found.paint(mask, value, top, left)
    elif shape.tag == 'polygon':
        found.paint_rings([_parse_points(shape, size)], value)
    elif shape.tag == 'points':
        for x, y in _parse_points(shape, size).tolist():
            found.paint_point(x, y, value)
    elif shape.tag == 'box':
        left, top, right, bottom = (number(shape.get(k)) for k in ('xtl', 'ytl', 'xbr', 'ybr'))
        pivot = (left + right) / 2, (top + bottom) / 2
        box = left, top, right, bottom
        found.paint_rings([rectangle(box, number(shape.get('rotation', 0)), pivot, size)], value)
    elif shape.tag == 'ellipse':
        x, y, rx, ry = (number(shape.get(key)) for key in ('cx', 'cy', 'rx', 'ry'))
        top, left, mask = ellipse((x, y), (rx, ry), number(shape.get('rotation', 0)), size)
        found.paint(mask, value, top, left)
    else:
        found.unread[brief(shape.tag)] += 1


def _read_xml(export: ToolExport, labels: LabelSet) -> Iterator[tuple[str, Parse]]:
    name = export.only('.xml', 'an export from CVAT')
    root = parse_xml(export.read(name), f'{export.path}: {brief(name)}')
    if root.tag != 'annotations' or root.find('track') is not None:
        raise UserError(
            f'{export.path} is not "CVAT for images 1.1": export the task as that, or as '
            '"Segmentation mask 1.1"'
        )
    for element in root.iter('image'):
        name = element.get('name', '')
        where = f'{export.path}: {brief(name)}'
        yield name, partial(_parse_element, element, labels, where)


def _parse_element(
    element: Element, labels: LabelSet, where: str, size: tuple[int, int]
) -> ImageLabels:
    return parse_image(element, labels, size, where)


def _add(element: Element, tag: str, label: str, z_order: int, **geometry: str) -> None:
    common = dict(label=label, source='manual', occluded='0')
    SubElement(element, tag, **common, **geometry, z_order=str(z_order))


def _points(points: Iterable[Sequence[float]]) -> str:
    return ';'.join(f'{x:.2f},{y:.2f}' for x, y in points)


def _parse_points(shape: Element, size: tuple[int, int]) -> np.ndarray:
    text = shape.get('points', '').strip()
    return points([pair.split(',') for pair in text.split(';')] if text else [], size)
