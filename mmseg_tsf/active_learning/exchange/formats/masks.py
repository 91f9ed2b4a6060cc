"""Masks in a folder, for any program that can edit images of class ids or of colours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ....utils.files import MANIFEST
from ...registry import EXCHANGE_FORMATS
from ...store.label_png import encode_labels, foreign_ids
from ..answers import ImageLabels
from ..label_set import LabelSet
from ..readers.pictures import open_png, read_colours
from ..readers.values import brief
from ..tool_export import ToolExport
from .base import ExchangeFormat, Package, Parse
from .legend import LABELMAP, Legend, Legends, paint_colours, write_legend

README = """\
Masks:

1. Write masks/<name>.png for each image, with one channel of 8 bits and the size of the image.
   Each requested pixel gets the number of its class, or 255 if its class cannot be said:

{classes}
   or, as a picture of colours, the colour that labelmap.txt gives to its class; then labelmap.txt
   belongs beside the masks or above them. A palette PNG may have both, if they say the same.
   requests/<name>.png shows the request: 255 = requested, 0 = not requested.
   Pixels that are not requested are ignored.
2. If there is a prelabels/<name>.png, it holds the prediction of the network in the same form: you
   can copy it into masks/ and correct it there.
3. The export is the folder masks/ (or this folder, or a zip archive of either).
"""


@EXCHANGE_FORMATS.register_module(name='masks')
class MaskFormat(ExchangeFormat):
    """PNGs of class ids, or of the colours of a legend."""

    def write_package(self, package: Package) -> str:
        """Writes images, requests, predictions and the legend."""
        writer = package.writer
        (writer.path / 'masks').mkdir()
        for packed in package.write_images():
            image = packed.image
            name = f'{image.image_id}.png'
            writer.add(f'requests/{name}', encode_labels(packed.plan.shown * np.uint8(255)))
            if image.prelabels is not None:
                writer.add(f'prelabels/{name}', encode_labels(image.prelabels))
        writer.add(LABELMAP, write_legend(package.labels).encode())
        names = ''.join(f'   {i:5d}  {name}\n' for i, name in enumerate(package.labels.classes))
        return README.format(classes=names)

    def read(self, export: ToolExport, labels: LabelSet) -> Iterator[tuple[str, Parse | None]]:
        """Reads the masks, of a package only those in ``masks/``.

        A requested pixel of 255 is an answer: its class cannot be said.

        Raises:
            UserError: The functions raise it for a wrong size or type, undeclared colours, and
                indices that mean another class than their colours.
        """
        manifests = (name for name in export.names if name.rpartition('/')[2] == MANIFEST)
        roots = tuple(f'{name.removesuffix(MANIFEST)}masks/' for name in manifests)
        legends = Legends(export, labels)
        for name in export.names:
            root = next((root for root in roots if name.startswith(root)), '')
            if name.lower().endswith('.png') and bool(root or not roots):
                parse = partial(_parse, export, name, labels, legends.of(name))
                yield name.removeprefix(root), parse
            elif not roots and name not in legends.files:
                yield name, None


def _parse(
    export: ToolExport,
    name: str,
    labels: LabelSet,
    legend: Legend | None,
    size: tuple[int, int],
) -> ImageLabels:
    content, where = export.read(name), f'{export.path}: {brief(name)}'
    with open_png(content, size, where) as image:
        mode = image.mode
        ids = np.array(image) if mode in ('L', 'P') else None
    if mode == '1' and legend is None:
        raise UserError(
            f'{where} has 1 bit per pixel, which cannot hold class ids and 255: write it with 8 '
            f'bits, or put a {LABELMAP} with the colours of the classes beside it'
        )
    by_colour = _by_colour(content, legend, labels, size, where)
    if isinstance(by_colour, ImageLabels):
        if ids is None or mode == 'L' and foreign_ids(ids, len(labels.classes)):
            return by_colour
        if mode == 'P':
            return _one_reading(ids, by_colour, len(labels.classes), where)
    if ids is None:
        raise by_colour
    found = ImageLabels(size)
    found.labels, found.labelled, found.implied = ids, np.ones(size, bool), True
    return found


def _by_colour(
    content: bytes,
    legend: Legend | None,
    labels: LabelSet,
    size: tuple[int, int],
    where: str,
) -> ImageLabels | UserError:
    """Labels by the colours of a legend; without one, shades of grey are class ids."""
    try:
        codes = read_colours(content, size, where)
        if legend is not None:
            return paint_colours(codes, legend, labels, where)
    except UserError as error:
        return error
    grey = codes & 255
    if (codes == grey * 0x010101).all() and not foreign_ids(grey, len(labels.classes)):
        found = ImageLabels(size)
        found.labels, found.labelled, found.implied = grey.astype(np.uint8), codes >= 0, True
        return found
    return UserError(
        f'{where} has no channel of class ids with 8 bits: write one, or put a {LABELMAP} with the '
        'colours of the classes beside it'
    )


def _one_reading(
    ids: np.ndarray, by_colour: ImageLabels, num_classes: int, where: str
) -> ImageLabels:
    """Labels of a palette PNG whose colours have a meaning: an editor may have renumbered it.

    Raises:
        UserError: Its indices mean other classes than its colours, and both could be meant.
    """
    same = (ids == by_colour.labels) | ~by_colour.labelled & (ids == IGNORE_INDEX)
    if not same.all() and not foreign_ids(ids, num_classes):
        raise UserError(
            f'{where} is a palette PNG whose indices mean other classes than its colours: save it '
            'with one channel of class ids, or as RGB in the colours of a legend'
        )
    return by_colour
