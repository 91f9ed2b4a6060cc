"""COCO: images with an annotation file, which many programs read and write.

Predictions are run lengths, one annotation per class and region; the regions of the request are
polygons of the category :data:`~.label_set.ASKED`, which carry no class.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ...registry import EXCHANGE_FORMATS
from ..annotation_plan import predicted_pieces
from ..answers import ImageLabels
from ..label_set import ASKED, LabelSet
from ..readers.pictures import check_size
from ..readers.values import BrokenShape, brief, points, whole
from ..shapes.outlines import cut_holes, fill_box, outlines
from ..shapes.rle import compress_coco, decode_columns, decompress_coco, encode_coco
from ..tool_export import ToolExport
from .base import ExchangeFormat, Package, PackedImage, Parse

README = """\
COCO:

1. Open images/ with annotations.json in the annotation tool. The category "asked" outlines the
   request; masks of other categories are predictions of the network: keep them, redraw them, or
   give them another category. An outline of one pixel asks for that pixel: see the circles in
   previews/.
2. Label with masks or polygons. Use "cannot be said" where you cannot tell the class. Later
   annotations in the file lie on top.
3. Export as COCO with categories, images and annotations.
"""


@EXCHANGE_FORMATS.register_module(name='coco')
class COCOFormat(ExchangeFormat):
    """One COCO file with polygons and run lengths."""

    def write_package(self, package: Package) -> str:
        """Writes an annotation file and the images."""
        labels, entries, annotations = package.labels, [], []
        for packed in package.write_images(package.tag):
            height, width = packed.image.asked.shape
            image_id = len(entries) + 1
            size = dict(width=width, height=height)
            name = f'{package.tag}/{packed.file_name}'
            entries.append(dict(id=image_id, file_name=name, **size))
            for name, mask, segmentation in _shapes(packed, labels):
                number = len(annotations) + 1
                annotations.append(annotate(number, image_id, name, mask, labels, segmentation))
        content = dict(images=entries, categories=categories(labels), annotations=annotations)
        package.writer.add('annotations.json', json.dumps(content).encode())
        return README

    def read(self, export: ToolExport, labels: LabelSet) -> Iterator[tuple[str, Parse]]:
        """See the base class."""
        entries, names, by_image = _parse_file(export)
        for number, file_name, *size in entries:
            where = f'{export.path}: {brief(file_name)}'
            own = by_image.get(number, [])
            yield file_name, partial(_parse_image, own, names, labels, size, where)


def categories(labels: LabelSet) -> list[dict]:
    """COCO categories, counted from 1: the classes, then :data:`VOID` and :data:`ASKED`."""
    return [dict(id=i, name=name) for i, name in enumerate([*labels.palette, ASKED], 1)]


def annotate(
    number: int,
    image_id: int,
    name: str,
    mask: np.ndarray,
    labels: LabelSet,
    segmentation: list | dict | None = None,
) -> dict:
    """One COCO annotation.

    Args:
        number: Id of the annotation.
        image_id: Id of the image in the file.
        name: Name of the category.
        mask: ``(H, W)`` bool, not empty.
        labels: Labels to choose from.
        segmentation: COCO segmentation of the mask; compressed run lengths by default.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    if segmentation is None:
        segmentation = dict(size=list(mask.shape), counts=compress_coco(encode_coco(mask)))
    return dict(
        id=number,
        image_id=image_id,
        category_id=[*labels.palette, ASKED].index(name) + 1,
        segmentation=segmentation,
        area=int(mask.sum()),
        bbox=[left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
        iscrowd=0,
    )


def polygons(mask: np.ndarray) -> list[list[int]]:
    """Polygons ``[x, y, x, y, ...]`` of a connected ``(H, W)`` bool mask, joined to its holes."""
    return [cut_holes(outlines(mask)).ravel().tolist()]


def _parse_file(
    export: ToolExport,
) -> tuple[list[list], dict[int | str, str], dict[int | str, list[dict]]]:
    """Id, name, height and width of the images, names of categories, and annotations by image."""
    content, where = export.json('a COCO export'), export.path
    keys = ('images', 'categories', 'annotations')
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in keys):
        raise UserError(f'{where} is not a COCO file with {", ".join(keys)}: export it as COCO')
    by_image: dict[int | str, list[dict]] = {}
    names: dict[int | str, str] = {}
    try:
        entries = [
            [_identity(entry['id']), _text(entry['file_name']), entry['height'], entry['width']]
            for entry in content['images']
        ]
        for annotation in content['annotations']:
            by_image.setdefault(_identity(annotation['image_id']), []).append(annotation)
        for category in content['categories']:
            number, name = _identity(category['id']), _text(category['name'])
            if names.setdefault(number, name) != name:
                raise UserError(
                    f'{where} gives the category id {brief(number)} to {brief(names[number])!r} '
                    f'and {brief(name)!r}: give each file of COCO to an import of its own'
                )
    except (KeyError, TypeError, BrokenShape) as error:
        raise UserError(f'{where} has an entry without {error}: export it again') from None
    _check_ids(entries, by_image, str(where))
    return entries, names, by_image


def _check_ids(entries: list[list], by_image: dict[int | str, list[dict]], where: str) -> None:
    known: dict[int | str, str] = {}
    for number, name, *_ in entries:
        if known.setdefault(number, name) is not name:
            raise UserError(
                f'{where} gives the image id {brief(number)} to {brief(known[number])} and '
                f'{brief(name)}: give each file of COCO to an import of its own'
            )
    lost = next((number for number in by_image if number not in known), None)
    if lost is not None:
        raise UserError(
            f'{where} has annotations of the image id {brief(lost)}, but lists no such image: '
            'export it again'
        )


def _identity(value: object) -> int | str:
    if isinstance(value, str):
        return value
    try:
        return whole(value)
    except BrokenShape:
        raise BrokenShape(f'a usable id ({brief(value)})') from None


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise BrokenShape(f'a name ({brief(value)})')


def _parse_image(
    annotations: Iterable[dict],
    names: dict[int | str, str],
    labels: LabelSet,
    found: list,
    where: str,
    size: tuple[int, int],
) -> ImageLabels:
    try:
        check_size(where, tuple(map(whole, found)), size)
    except BrokenShape as error:
        raise UserError(f'{where} has no size ({error}): export it again') from None
    return parse_annotations(annotations, names, labels, size, where)


def parse_annotations(
    annotations: Iterable[dict],
    names: dict[int | str, str],
    labels: LabelSet,
    size: tuple[int, int],
    where: str,
) -> ImageLabels:
    """Labels that the annotations of one image give, later ones on top.

    Args:
        annotations: Annotations of the image.
        names: Names of the categories by id.
        labels: Labels to choose from.
        size: Height and width of the image.
        where: Place of the annotations, for error messages.

    Raises:
        UserError: A category is unknown, or a segmentation belongs to an image of another size.
    """
    found = ImageLabels(size)
    for annotation in annotations:
        with found.shape('annotation'):
            category = _identity(annotation.get('category_id'))
            value = labels.value(names.get(category, f'category {brief(category)}'), where)
            segmentation = annotation.get('segmentation')
            if value is None:
                continue
            if segmentation:
                paint_segmentation(found, segmentation, value, where)
            else:
                found.unread['box'] += 1
    return found


def paint_segmentation(
    found: ImageLabels, segmentation: list | dict, value: int, where: str
) -> None:
    """Gives a class id to the pixels of polygons or run lengths, compressed or not.

    A polygon that crosses itself leaves holes; several polygons are parts of one mask.

    Args:
        found: Labels of the image.
        segmentation: COCO segmentation.
        value: Class id; 255: cannot be said.
        where: Place of the segmentation, for error messages.

    Raises:
        BrokenShape: The segmentation is malformed; nothing is painted.
        UserError: It belongs to an image of another size.
    """
    if isinstance(segmentation, list):
        flat = not any(isinstance(ring, list) for ring in segmentation)
        rings = [points(ring, found.size) for ring in ([segmentation] if flat else segmentation)]
        for top, left, mask in [fill_box([ring], found.size) for ring in rings]:
            found.paint(mask, value, top, left)
        return
    if not isinstance(segmentation, dict) or not {'counts', 'size'} <= segmentation.keys():
        raise BrokenShape('its segmentation is neither polygons nor run lengths')
    counts, size = segmentation['counts'], segmentation['size']
    if not isinstance(size, list) or len(size) != 2:
        raise BrokenShape('its size is not a height and a width')
    check_size(f'{where}: a mask', tuple(map(whole, size)), found.size)
    if isinstance(counts, str):
        counts = decompress_coco(counts)
    left, mask = decode_columns(counts, found.size)
    found.paint(mask, value, left=left)


def _shapes(packed: PackedImage, labels: LabelSet) -> Iterator[tuple[str, np.ndarray, list | None]]:
    """Names, masks and polygons (``None``: run lengths) of the request, then of predictions."""
    image, plan = packed.image, packed.plan
    predicted = list(predicted_pieces(image, plan))
    for region in plan.regions():
        yield ASKED, region, polygons(region)
    for x, y in plan.points.tolist():
        pixel = np.zeros(image.asked.shape, bool)
        pixel[y, x] = True
        yield ASKED, pixel, polygons(pixel)
        if image.prelabels is not None and image.prelabels[y, x] != IGNORE_INDEX:
            predicted.append((int(image.prelabels[y, x]), pixel))
    for value, mask in predicted:
        yield labels.names[value], mask, None
