"""COCO: an annotation file with images, that many programs read and write.

What the network believes are run lengths, one annotation for each class in each region; the regions
of the request are polygons of the category :data:`~.labels.ASKED`, which says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import numpy as np

from ....models.utils.pixel_losses import IGNORE_INDEX
from ....utils.errors import UserError
from ....utils.files import FolderWriter
from ..annotation_plan import pieces
from ..answers import Answer, check_size
from ..export_file import Exported
from ..label_set import ASKED, LabelSet
from ..package import Packed, write_images
from ..request import Request
from ..shapes.outlines import cut_holes, fill, outlines
from ..shapes.rle import compress_coco, decode_coco, decompress_coco, encode_coco

README = """\
COCO:

1. Open images/ with annotations.json in the annotation tool. The category "asked" outlines what is
   wanted; masks of other categories are what the network believes: keep them, redraw them, or give
   them another category. An outline of one pixel asks for that pixel: see the circles in previews/.
2. Label with masks or polygons. Use "cannot be said" where nobody can tell. Annotations that stand
   later in the file lie on top.
3. Export as COCO with categories, images and annotations.
"""


def write_package(
    writer: FolderWriter, images: Iterable[Packed], labels: LabelSet, number: int
) -> str:
    """Writes an annotation file and the images; returns how to go on."""
    entries, annotations = [], []
    for packed in write_images(writer, images):
        height, width = packed.image.asked.shape
        image_id = len(entries) + 1
        entries.append(dict(id=image_id, file_name=packed.file_name, width=width, height=height))
        for name, mask, segmentation in _shapes(packed, labels):
            annotations.append(
                annotate(len(annotations) + 1, image_id, name, mask, labels, segmentation)
            )
    content = dict(images=entries, categories=categories(labels), annotations=annotations)
    writer.add('annotations.json', json.dumps(content).encode())
    return README


def categories(labels: LabelSet) -> list[dict]:
    """The classes, then :data:`~.labels.VOID` and :data:`~.labels.ASKED`, counted from 1."""
    return [dict(id=i, name=name) for i, name in enumerate([*labels.palette, ASKED], 1)]


def annotate(
    number: int,
    image_id: int,
    name: str,
    mask: np.ndarray,
    labels: LabelSet,
    segmentation: list | dict | None = None,
) -> dict:
    """One annotation.

    Args:
        number: Its id.
        image_id: Of the file.
        name: Of the category.
        mask: ``(H, W)`` bool, not empty.
        labels: To choose from.
        segmentation: How the mask is written; compressed run lengths by default.
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


def read(
    export: Exported, request: Request, labels: LabelSet
) -> Iterator[tuple[str | None, Answer]]:
    """What people have said of each image of a file, see :func:`~.answers.write_answers`.

    Raises:
        UserError: It is no COCO file, or does not fit the request; one sentence.
    """
    content = export.json('a COCO export')
    keys = ('images', 'categories', 'annotations')
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in keys):
        raise UserError(f'{export.path} is no COCO file with {", ".join(keys)}: export it as COCO')
    by_image: dict[int, list[dict]] = {}
    try:
        for annotation in content['annotations']:
            by_image.setdefault(annotation['image_id'], []).append(annotation)
        names = {category['id']: category['name'] for category in content['categories']}
        entries = [
            [e[key] for key in ('id', 'file_name', 'height', 'width')] for e in content['images']
        ]
    except (KeyError, TypeError) as error:
        raise UserError(f'{export.path} has an entry that lacks {error}: export it again') from None
    for number, file_name, *size in entries:
        image_id, where = request.match(file_name), f'{export.path}: {file_name}'
        if image_id is None:
            yield None, Answer((0, 0))
            continue
        check_size(where, size, request.sizes[image_id])
        own = by_image.get(number, [])
        yield image_id, parse_annotations(own, names, labels, request.sizes[image_id], where)


def parse_annotations(
    annotations: Iterable[dict],
    names: dict[int, str],
    labels: LabelSet,
    size: tuple[int, int],
    where: str,
) -> Answer:
    """What the annotations of one image say, later ones on top.

    Args:
        annotations: Of the file.
        names: Of its categories, by id.
        labels: To choose from.
        size: Height and width of the image that was asked about.
        where: They are from, for messages.

    Raises:
        UserError: Foreign category, or a segmentation that can not be read.
    """
    answer = Answer(size)
    for annotation in annotations:
        category = annotation.get('category_id')
        value = labels.value(names.get(category, f'category {category}'), where)
        if value is None:
            continue
        try:
            mask = parse_segmentation(annotation.get('segmentation'), size)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f'{where} has a segmentation that can not be read ({error})') from None
        if mask is None:
            answer.unread['box'] += 1
        else:
            answer.paint(mask, value)
    return answer


def parse_segmentation(
    segmentation: list | dict | None, size: tuple[int, int]
) -> np.ndarray | None:
    """``(H, W)`` bool of polygons or run lengths, compressed or not; ``None`` where there is none.

    A polygon that crosses itself leaves holes; several polygons are parts of one mask.

    Raises:
        ValueError, KeyError, TypeError: It is malformed.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        parts = [fill([np.reshape(part, (-1, 2))], size) for part in segmentation]
        return np.logical_or.reduce(parts)
    counts = segmentation['counts']
    if tuple(segmentation['size']) != tuple(size):
        raise UserError(f'its size {segmentation["size"]} is not that of the image {list(size)}')
    return decode_coco(decompress_coco(counts) if isinstance(counts, str) else counts, size)


def _shapes(packed: Packed, labels: LabelSet) -> Iterator[tuple[str, np.ndarray, list | None]]:
    """Names, masks and polygons (``None``: run lengths) of the request, then what is believed."""
    image, plan = packed.image, packed.plan
    beliefs = list(pieces(image, plan))
    for region in plan.regions():
        yield ASKED, region, polygons(region)
    for x, y in plan.points.tolist():
        pixel = np.zeros(image.asked.shape, bool)
        pixel[y, x] = True
        yield ASKED, pixel, polygons(pixel)
        if image.prelabels is not None and image.prelabels[y, x] != IGNORE_INDEX:
            beliefs.append((int(image.prelabels[y, x]), pixel))
    for value, mask in beliefs:
        yield labels.names[value], mask, None
