"""COCO: images with an annotation file, which many programs read and write.

Predictions are run lengths, one annotation per class and region; the regions of the request are
polygons of the category :data:`~.label_set.ASKED`, which carry no class.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ...registry import EXCHANGE_FORMATS
from ..annotation_plan import predicted_pieces
from ..answers import ImageLabels, check_size
from ..label_set import ASKED, LabelSet
from ..request import RequestFolder
from ..shapes.outlines import cut_holes, fill, outlines
from ..shapes.rle import compress_coco, decode_coco, decompress_coco, encode_coco
from ..tool_export import ToolExport
from .base import ExchangeFormat, Package, PackedImage

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
        for packed in package.write_images():
            height, width = packed.image.asked.shape
            image_id = len(entries) + 1
            size = dict(width=width, height=height)
            entries.append(dict(id=image_id, file_name=packed.file_name, **size))
            for name, mask, segmentation in _shapes(packed, labels):
                number = len(annotations) + 1
                annotations.append(annotate(number, image_id, name, mask, labels, segmentation))
        content = dict(images=entries, categories=categories(labels), annotations=annotations)
        package.writer.add('annotations.json', json.dumps(content).encode())
        return README

    def read(
        self, export: ToolExport, request: RequestFolder, labels: LabelSet
    ) -> Iterator[tuple[str | None, ImageLabels | None]]:
        """See the base class."""
        entries, names, by_image = _parse_file(export)
        for number, file_name, *size in entries:
            image_id, where = request.match(file_name), f'{export.path}: {file_name}'
            if image_id is None:
                yield None, None
                continue
            check_size(where, size, request.sizes[image_id])
            own = by_image.get(number, [])
            yield image_id, parse_annotations(own, names, labels, request.sizes[image_id], where)


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


def _parse_file(export: ToolExport) -> tuple[list[list], dict[int, str], dict[int, list[dict]]]:
    """Id, name, height and width of the images, names of categories, and annotations by image."""
    content = export.json('a COCO export')
    keys = ('images', 'categories', 'annotations')
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in keys):
        raise UserError(
            f'{export.path} is not a COCO file with {", ".join(keys)}: export it as COCO'
        )
    by_image: dict[int, list[dict]] = {}
    try:
        for annotation in content['annotations']:
            by_image.setdefault(annotation['image_id'], []).append(annotation)
        names = {category['id']: category['name'] for category in content['categories']}
        entries = [
            [e[key] for key in ('id', 'file_name', 'height', 'width')] for e in content['images']
        ]
    except (KeyError, TypeError) as error:
        raise UserError(f'{export.path} has an entry without {error}: export it again') from None
    return entries, names, by_image


def parse_annotations(
    annotations: Iterable[dict],
    names: dict[int, str],
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
        UserError: A category is unknown, or a segmentation cannot be read.
    """
    found = ImageLabels(size)
    for annotation in annotations:
        category = annotation.get('category_id')
        value = labels.value(names.get(category, f'category {category}'), where)
        if value is None:
            continue
        try:
            mask = parse_segmentation(annotation.get('segmentation'), size)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f'{where} has a segmentation that cannot be read ({error})') from None
        if mask is None:
            found.unread['box'] += 1
        else:
            found.paint(mask, value)
    return found


def parse_segmentation(
    segmentation: list | dict | None, size: tuple[int, int]
) -> np.ndarray | None:
    """``(H, W)`` bool of polygons or run lengths, compressed or not; ``None`` for an empty one.

    A polygon that crosses itself leaves holes; several polygons are parts of one mask.

    Raises:
        ValueError, KeyError, TypeError: The segmentation is malformed.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        masks = [fill([np.reshape(ring, (-1, 2))], size) for ring in segmentation]
        return np.logical_or.reduce(masks)
    counts = segmentation['counts']
    if tuple(segmentation['size']) != tuple(size):
        raise UserError(f'its size {segmentation["size"]} is not that of the image {list(size)}')
    return decode_coco(decompress_coco(counts) if isinstance(counts, str) else counts, size)


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
