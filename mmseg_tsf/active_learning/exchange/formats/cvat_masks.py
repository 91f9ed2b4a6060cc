"""CVAT's *Segmentation mask 1.1*: an image of colours per image, and the label of each colour.

CVAT paints unlabelled pixels as background, so the colour of the background carries no label,
unless the task has a label of that name.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, UnidentifiedImageError

from ....utils.errors import UserError
from ..answers import ImageLabels, check_size
from ..label_set import ASKED, LabelSet
from ..request import RequestFolder
from ..tool_export import ToolExport

LABELMAP, CLASS_FOLDER, BACKGROUND = 'labelmap.txt', 'SegmentationClass/', 'background'


def read_masks(
    export: ToolExport, request: RequestFolder, labels: LabelSet
) -> Iterator[tuple[str | None, ImageLabels | None]]:
    """Labels of each image of the export, see ``ExchangeFormat.read``.

    Raises:
        UserError: A colour or a size does not fit.
    """
    labelmap = next(n for n in export.names if n.rpartition('/')[2] == LABELMAP)
    names = parse_labelmap(
        export.read(labelmap).decode('utf-8', 'replace'), labels, f'{export.path}: {labelmap}'
    )
    for name in export.names:
        _, folder, rest = name.rpartition(CLASS_FOLDER)
        if not folder or not rest.lower().endswith('.png'):
            continue
        image_id = request.match(rest)
        if image_id is None:
            yield None, None
        else:
            where = f'{export.path}: {name}'
            size = request.sizes[image_id]
            yield image_id, parse_mask(export.read(name), names, labels, size, where)


def parse_labelmap(text: str, labels: LabelSet, where: str) -> dict[int, str]:
    """Names of labels by their colours (``0xrrggbb``); ``ASKED`` for the colour without a label.

    Args:
        text: Lines of ``name:red,green,blue:parts:actions``.
        labels: Labels to choose from.
        where: Place of the text, for error messages.

    Raises:
        UserError: A line cannot be read, or two labels share a colour.
    """
    lines = {}
    for line in filter(None, (line.partition('#')[0].strip() for line in text.splitlines())):
        try:
            name, rgb, _, _ = line.rsplit(':', 3)
            red, green, blue = (int(part) for part in rgb.split(','))
        except ValueError:
            raise UserError(
                f'{where} has the line {line!r}, which is not name:red,green,blue:parts:actions'
            ) from None
        lines[name] = red << 16 | green << 8 | blue
    renamed = dict(zip(labels.classes, labels.names, strict=True)).get(BACKGROUND)
    unlabelled = renamed is None or renamed in lines  # the task has no label of that name
    names: dict[int, str] = {}
    for name, code in lines.items():
        if code in names:
            raise UserError(
                f'{where} gives the colour #{code:06x} to {names[code]!r} and {name!r}: change '
                'one of them in CVAT and export again'
            )
        names[code] = ASKED if unlabelled and name == BACKGROUND else name
    return names


def parse_mask(
    content: bytes, names: dict[int, str], labels: LabelSet, size: tuple[int, int], where: str
) -> ImageLabels:
    """Labels that an image of colours gives.

    Args:
        content: Content of the PNG.
        names: Names of labels, see :func:`parse_labelmap`.
        labels: Labels to choose from.
        size: Height and width of the image.
        where: Place of the PNG, for error messages.

    Raises:
        UserError: The size is wrong, a colour is not declared, or a label is not a class.
    """
    try:
        with Image.open(io.BytesIO(content), formats=['PNG']) as image:
            mode, colours = image.mode, np.asarray(image.convert('RGB'), np.int32)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise UserError(f'{where} is not a complete PNG: export it again') from None
    if mode not in ('RGB', 'RGBA', 'P'):
        raise UserError(f'{where} has no colours (its mode is {mode}): export it from CVAT again')
    check_size(where, colours.shape[:2], size)
    codes = colours @ np.array([1 << 16, 1 << 8, 1], np.int32)
    found = ImageLabels(size)
    for code in np.unique(codes).tolist():
        if code not in names:
            raise UserError(
                f'{where} has the colour #{code:06x}, which its {LABELMAP} does not declare: '
                'export it from CVAT again'
            )
        value = labels.value(names[code], where)
        if value is not None:
            found.paint(codes == code, value)
    return found
