"""CVAT's *Segmentation mask 1.1*: a picture of colours for each image, and what they mean.

What nobody has labelled is painted as background there, so the colour of the background says
nothing, unless people were given a label of that very name.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, UnidentifiedImageError

from ....utils.errors import UserError
from ..answers import Answer, check_size
from ..export_file import Exported
from ..label_set import ASKED, LabelSet
from ..request import Request

LABELMAP, CLASS_FOLDER, BACKGROUND = 'labelmap.txt', 'SegmentationClass/', 'background'


def read_masks(
    export: Exported, request: Request, labels: LabelSet
) -> Iterator[tuple[str | None, Answer]]:
    """What people have said of each image of the export, see :func:`~.answers.write_answers`.

    Raises:
        UserError: A colour or size that does not fit; names the file.
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
            yield None, Answer((0, 0))
        else:
            where = f'{export.path}: {name}'
            size = request.sizes[image_id]
            yield image_id, parse_mask(export.read(name), names, labels, size, where)


def parse_labelmap(text: str, labels: LabelSet, where: str) -> dict[int, str]:
    """Names of labels by their colours (``0xrrggbb``); ``ASKED`` for what says nothing.

    Args:
        text: Lines of ``name:red,green,blue:parts:actions``.
        labels: To choose from.
        where: The text is from, for messages.

    Raises:
        UserError: A line can not be read, or two labels share a colour.
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
    silent = renamed is None or renamed in lines  # no label of people's is called so
    names: dict[int, str] = {}
    for name, code in lines.items():
        if code in names:
            raise UserError(
                f'{where} gives the colour #{code:06x} to {names[code]!r} and {name!r}: change '
                'one of them in CVAT and export again'
            )
        names[code] = ASKED if silent and name == BACKGROUND else name
    return names


def parse_mask(
    content: bytes, names: dict[int, str], labels: LabelSet, size: tuple[int, int], where: str
) -> Answer:
    """What a picture of colours says.

    Args:
        content: A PNG.
        names: See :func:`parse_labelmap`.
        labels: To choose from.
        size: Height and width of the image that was asked about.
        where: The picture is, for messages.

    Raises:
        UserError: Wrong size, a colour that is not declared, or a label that is no class.
    """
    try:
        with Image.open(io.BytesIO(content), formats=['PNG']) as image:
            mode, colours = image.mode, np.asarray(image.convert('RGB'), np.int32)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise UserError(f'{where} is no complete PNG: export it again') from None
    if mode not in ('RGB', 'RGBA', 'P'):
        raise UserError(f'{where} has no colours (its mode is {mode}): export it from CVAT again')
    check_size(where, colours.shape[:2], size)
    codes = colours @ np.array([1 << 16, 1 << 8, 1], np.int32)
    answer = Answer(size)
    for code in np.unique(codes).tolist():
        if code not in names:
            raise UserError(
                f'{where} has the colour #{code:06x}, which its {LABELMAP} does not declare: '
                'export it from CVAT again'
            )
        value = labels.value(names[code], where)
        if value is not None:
            answer.paint(codes == code, value)
    return answer
