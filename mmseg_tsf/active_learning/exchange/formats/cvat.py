"""CVAT: a task to upload, and the two exports that keep what people have drawn.

A request is shown as closed polylines with the label :data:`~.label_set.ASKED`, which no export
takes for a mask; predictions are masks, one per class and region; single pixels are points.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ...registry import EXCHANGE_FORMATS
from ..annotation_plan import predicted_pieces
from ..answers import ImageLabels, check_size
from ..label_set import ASKED, ASKED_COLOUR, LabelSet, as_hex
from ..request import RequestFolder
from ..shapes.outlines import fill, outlines
from ..shapes.rle import decode_cvat, encode_cvat
from ..tool_export import ToolExport
from .base import ExchangeFormat, Package, PackedImage
from .cvat_masks import LABELMAP, read_masks

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
                archive.writestr(packed.file_name, packed.content)
                elements.append(image_element(len(elements), packed, package.labels))
        with open(path, 'rb') as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        package.writer.files['images.zip'] = digest.hexdigest()
        package.writer.add('annotations.xml', annotations(elements, package.labels))
        specs = json.dumps(label_specs(package.labels), indent=1)
        package.writer.add('labels.json', specs.encode())
        return README.format(number=package.number)

    def read(
        self, export: ToolExport, request: RequestFolder, labels: LabelSet
    ) -> Iterator[tuple[str | None, ImageLabels | None]]:
        """See the base class."""
        if any(name.rpartition('/')[2] == LABELMAP for name in export.names):
            return read_masks(export, request, labels)
        return _read_xml(export, request, labels)


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
        UserError: The size is wrong, a label is unknown, or a shape cannot be read.
    """
    found = ImageLabels(size)
    check_size(where, (int(element.get('height', 0)), int(element.get('width', 0))), size)
    for shape in sorted(element, key=lambda shape: int(shape.get('z_order', 0))):
        if shape.tag in WITHOUT_AREA:
            continue
        value = labels.value(shape.get('label', ''), where)
        if value is None:
            continue
        try:
            _paint(found, shape, value)
        except (KeyError, ValueError) as error:
            raise UserError(f'{where} has a {shape.tag} that cannot be read ({error})') from None
    return found


def _paint(found: ImageLabels, shape: Element, value: int) -> None:
    size = found.labels.shape
    if shape.tag == 'mask':
        box = tuple(int(shape.attrib[key]) for key in ('left', 'top', 'width', 'height'))
        lengths = [int(length) for length in shape.attrib['rle'].split(',')]
        found.paint(decode_cvat(lengths, box, size), value)
    elif shape.tag == 'polygon':
        found.paint(fill([_parse_points(shape)], size), value)
    elif shape.tag == 'points':
        for x, y in _parse_points(shape).tolist():
            found.paint_point(x, y, value)
    elif shape.tag in ('box', 'ellipse'):
        if float(shape.get('rotation', 0)):
            found.unread[f'rotated {shape.tag}'] += 1
        else:
            found.paint(_upright(shape, size), value)
    else:
        found.unread[shape.tag] += 1


def _upright(shape: Element, size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` bool of the pixels whose centres lie in a ``<box>`` or an ``<ellipse>``."""
    y, x = (np.arange(length) + 0.5 for length in size)
    if shape.tag == 'box':
        left, top, right, bottom = (float(shape.attrib[k]) for k in ('xtl', 'ytl', 'xbr', 'ybr'))
        return ((y >= top) & (y < bottom))[:, None] & (x >= left) & (x < right)
    x0, y0, rx, ry = (float(shape.attrib[key]) for key in ('cx', 'cy', 'rx', 'ry'))
    return (((y - y0) * rx) ** 2)[:, None] + ((x - x0) * ry) ** 2 <= (rx * ry) ** 2


def _read_xml(
    export: ToolExport, request: RequestFolder, labels: LabelSet
) -> Iterator[tuple[str | None, ImageLabels | None]]:
    name = export.only('.xml', 'an export from CVAT')
    try:
        root = ElementTree.fromstring(export.read(name))
    except ElementTree.ParseError:
        raise UserError(f'{export.path}: {name} is not XML: export it again') from None
    if root.tag != 'annotations' or root.find('track') is not None:
        raise UserError(
            f'{export.path} is not "CVAT for images 1.1": export the task as that, or as '
            '"Segmentation mask 1.1"'
        )
    for element in root.iter('image'):
        image_id = request.match(element.get('name', ''))
        where = f'{export.path}: {element.get("name")}'
        if image_id is None:
            yield None, None
        else:
            yield image_id, parse_image(element, labels, request.sizes[image_id], where)


def _add(element: Element, tag: str, label: str, z_order: int, **geometry: str) -> None:
    common = dict(label=label, source='manual', occluded='0')
    SubElement(element, tag, **common, **geometry, z_order=str(z_order))


def _points(points: Iterable[Sequence[float]]) -> str:
    return ';'.join(f'{x:.2f},{y:.2f}' for x, y in points)


def _parse_points(shape: Element) -> np.ndarray:
    pairs = (pair.split(',') for pair in shape.attrib['points'].split(';'))
    return np.array([(float(x), float(y)) for x, y in pairs])
