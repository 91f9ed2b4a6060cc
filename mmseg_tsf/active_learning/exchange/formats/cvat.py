"""CVAT: a task to upload, and the two exports that keep what people have drawn.

A request is shown as closed polylines with the label :data:`~.labels.ASKED`, which no export takes
for a mask; what the network believes are masks, one for each class in each region; pixels that are
asked on their own are points.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ....models.utils.pixel_losses import IGNORE_INDEX
from ....utils.errors import UserError
from ....utils.files import FolderWriter
from ..annotation_plan import pieces
from ..answers import Answer, check_size
from ..export_file import Exported
from ..label_set import ASKED, ASKED_COLOUR, LabelSet, as_hex
from ..package import Packed
from ..request import Request
from ..shapes.outlines import fill, outlines
from ..shapes.rle import decode_cvat, encode_cvat
from .cvat_masks import LABELMAP, read_masks

SAYS_NOTHING = ('polyline', 'tag')
"""Shapes that cover no pixel: outlines of the request among them."""

README = """\
CVAT:

1. Create a task with the labels of labels.json (tab "Raw") and the images of images.zip, image
   quality 100. From a command line (pip install cvat-cli; the server's address goes before "task"):

     cvat-cli task create "round {number}" --labels labels.json --image_quality 100 \\
       --annotation_path annotations.xml --annotation_format "CVAT 1.1" local images.zip

2. In the browser, upload annotations.xml to the task ("Upload annotations", "CVAT 1.1"), unless
   the command above has done so.
3. Label inside of the closed yellow lines ("asked"), with masks or polygons; a mask that is there
   already is what the network believes: keep it, redraw it, or give it another label. A point
   asks for the class of the one pixel below it: give it the right label. Use "cannot be said"
   where nobody can tell. What lies on top counts.
4. Export the task as "CVAT for images 1.1" (points come along) or as "Segmentation mask 1.1"
   (without points), without images.
"""


def write_package(
    writer: FolderWriter, images: Iterable[Packed], labels: LabelSet, number: int
) -> str:
    """Writes what a CVAT task is made of; returns how to go on.

    Args:
        writer: Of the package.
        images: In the order of the task.
        labels: To choose from.
        number: Of the round.
    """
    elements = []
    path = writer.path / 'images.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as archive:
        for packed in images:
            archive.writestr(packed.file_name, packed.content)
            elements.append(image_element(len(elements), packed, labels))
    with open(path, 'rb') as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    writer.files['images.zip'] = digest.hexdigest()
    writer.add('annotations.xml', annotations(elements, labels))
    writer.add('labels.json', json.dumps(label_specs(labels), indent=1).encode())
    return README.format(number=number)


def label_specs(labels: LabelSet) -> list[dict]:
    """Labels as the "Raw" tab of CVAT and ``cvat-cli --labels`` take them."""
    palette = {**labels.palette, ASKED: ASKED_COLOUR}
    return [
        dict(name=name, color=as_hex(rgb), type='any', attributes=[])
        for name, rgb in palette.items()
    ]


def image_element(number: int, packed: Packed, labels: LabelSet) -> Element:
    """What *CVAT 1.1* says of one image: the request, and what the network believes.

    Args:
        number: Of the frame, from 0.
        packed: The image.
        labels: To choose from.
    """
    image, plan = packed.image, packed.plan
    height, width = image.asked.shape
    size = dict(width=str(width), height=str(height))
    element = Element('image', id=str(number), name=packed.file_name, **size)
    for value, mask in pieces(image, plan):
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
    """Appends ``(H, W)`` bool to an ``<image>`` as CVAT writes masks."""
    lengths, (left, top, width, height) = encode_cvat(mask)
    box = dict(left=str(left), top=str(top), width=str(width), height=str(height))
    _add(element, 'mask', label, z_order, rle=', '.join(map(str, lengths)), **box)


def annotations(images: Iterable[Element], labels: LabelSet) -> bytes:
    """A *CVAT 1.1* file of ``<image>`` elements."""
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


def read(
    export: Exported, request: Request, labels: LabelSet
) -> Iterator[tuple[str | None, Answer]]:
    """What people have said of each image of an export, see :func:`~.answers.write_answers`.

    Raises:
        UserError: It is neither of the two exports, or does not fit the request; one sentence.
    """
    if any(name.rpartition('/')[2] == LABELMAP for name in export.names):
        return read_masks(export, request, labels)
    return _read_xml(export, request, labels)


def parse_image(element: Element, labels: LabelSet, size: tuple[int, int], where: str) -> Answer:
    """What the shapes of an ``<image>`` say, those of a higher ``z_order`` on top.

    Args:
        element: Of *CVAT for images 1.1*.
        labels: To choose from.
        size: Height and width of the image that was asked about.
        where: The element is, for messages.

    Raises:
        UserError: Wrong size, foreign label, or a shape that can not be read.
    """
    answer = Answer(size)
    check_size(where, (int(element.get('height', 0)), int(element.get('width', 0))), size)
    for shape in sorted(element, key=lambda shape: int(shape.get('z_order', 0))):
        if shape.tag in SAYS_NOTHING:
            continue
        value = labels.value(shape.get('label', ''), where)
        if value is None:
            continue
        try:
            _paint(answer, shape, value)
        except (KeyError, ValueError) as error:
            raise UserError(f'{where} has a {shape.tag} that can not be read ({error})') from None
    return answer


def _paint(answer: Answer, shape: Element, value: int) -> None:
    size = answer.labels.shape
    if shape.tag == 'mask':
        box = tuple(int(shape.attrib[key]) for key in ('left', 'top', 'width', 'height'))
        lengths = [int(length) for length in shape.attrib['rle'].split(',')]
        answer.paint(decode_cvat(lengths, box, size), value)
    elif shape.tag == 'polygon':
        answer.paint(fill([_parse_points(shape)], size), value)
    elif shape.tag == 'points':
        for x, y in _parse_points(shape).tolist():
            answer.paint_point(x, y, value)
    elif shape.tag in ('box', 'ellipse'):
        if float(shape.get('rotation', 0)):
            answer.unread[f'turned {shape.tag}'] += 1
        else:
            answer.paint(_upright(shape, size), value)
    else:
        answer.unread[shape.tag] += 1


def _upright(shape: Element, size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` bool, pixels whose centres lie in a ``<box>`` or an ``<ellipse>``."""
    y, x = (np.arange(length) + 0.5 for length in size)
    if shape.tag == 'box':
        left, top, right, bottom = (float(shape.attrib[k]) for k in ('xtl', 'ytl', 'xbr', 'ybr'))
        return ((y >= top) & (y < bottom))[:, None] & (x >= left) & (x < right)
    x0, y0, rx, ry = (float(shape.attrib[key]) for key in ('cx', 'cy', 'rx', 'ry'))
    return (((y - y0) * rx) ** 2)[:, None] + ((x - x0) * ry) ** 2 <= (rx * ry) ** 2


def _read_xml(
    export: Exported, request: Request, labels: LabelSet
) -> Iterator[tuple[str | None, Answer]]:
    name = export.only('.xml', 'an export from CVAT')
    try:
        root = ElementTree.fromstring(export.read(name))
    except ElementTree.ParseError:
        raise UserError(f'{export.path}: {name} is no XML: export it again') from None
    if root.tag != 'annotations' or root.find('track') is not None:
        raise UserError(
            f'{export.path} is no "CVAT for images 1.1": export the task as that, or as '
            '"Segmentation mask 1.1"'
        )
    for element in root.iter('image'):
        image_id = request.match(element.get('name', ''))
        where = f'{export.path}: {element.get("name")}'
        if image_id is None:
            yield None, Answer((0, 0))
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
