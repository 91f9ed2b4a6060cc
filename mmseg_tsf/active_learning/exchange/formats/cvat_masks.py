"""CVAT's *Segmentation mask 1.1*: an image of colours per image, and the label of each colour."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ....utils.errors import UserError
from ..answers import ImageLabels
from ..label_set import LabelSet
from ..readers.pictures import read_colours
from ..readers.values import brief
from ..tool_export import ToolExport
from .base import Parse
from .legend import LABELMAP, Legend, Legends, paint_colours

CLASS_FOLDER = 'SegmentationClass/'


def read_masks(export: ToolExport, labels: LabelSet) -> Iterator[tuple[str, Parse]]:
    """Names and parsers of the images of the export, see ``ExchangeFormat.read``.

    Several exports in one folder are read each by its own legend.

    Raises:
        UserError: A legend is missing or cannot be read.
    """
    legends = Legends(export, labels)
    for name in export.names:
        root, folder, rest = name.rpartition(CLASS_FOLDER)
        if not folder or not rest.lower().endswith('.png'):
            continue
        legend = legends.of(name)
        if legend is None:
            raise UserError(
                f'{export.path} has no {LABELMAP} beside or above {brief(root + folder)}: give the '
                'export as CVAT wrote it'
            )
        yield rest, partial(_parse, export, name, legend, labels)


def parse_mask(
    content: bytes, names: Legend, labels: LabelSet, size: tuple[int, int], where: str
) -> ImageLabels:
    """Labels that an image of colours gives, also one that is stored as grey-scale or palette.

    Args:
        content: Content of the PNG.
        names: Names of labels, see :func:`~.legend.parse_labelmap`.
        labels: Labels to choose from.
        size: Height and width of the image.
        where: Place of the PNG, for error messages.

    Raises:
        UserError: The size is wrong, a colour is not declared, or a label is not a class.
    """
    return paint_colours(read_colours(content, size, where), names, labels, where)


def _parse(
    export: ToolExport, name: str, names: Legend, labels: LabelSet, size: tuple[int, int]
) -> ImageLabels:
    where = f'{export.path}: {brief(name)}'
    return parse_mask(export.read(name), names, labels, size, where)
