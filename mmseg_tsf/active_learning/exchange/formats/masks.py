"""Masks in a folder, for any program that can edit images of class ids."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....models.utils.labels import IGNORE_INDEX
from ....utils.errors import UserError
from ....utils.files import MANIFEST
from ...registry import EXCHANGE_FORMATS
from ...store.label_png import decode, encode_labels, foreign_ids
from ..answers import ImageLabels, check_size
from ..label_set import LabelSet
from ..request import RequestFolder
from ..tool_export import ToolExport
from .base import ExchangeFormat, Package

README = """\
Masks:

1. Write masks/<name>.png for each image, with one channel of 8 bits and the size of the image.
   Each requested pixel gets the number of its class, or 255 if its class cannot be said:

{classes}
   requests/<name>.png shows the request: 255 = requested, 0 = not requested.
   Pixels that are not requested are ignored.
2. If there is a prelabels/<name>.png, it holds the prediction of the network in the same form: you
   can copy it into masks/ and correct it there.
3. The export is the folder masks/ (or this folder, or a zip archive of either).
"""


@EXCHANGE_FORMATS.register_module(name='masks')
class MaskFormat(ExchangeFormat):
    """PNGs of class ids."""

    def write_package(self, package: Package) -> str:
        """Writes images, requests and predictions."""
        writer = package.writer
        (writer.path / 'masks').mkdir()
        for packed in package.write_images():
            image = packed.image
            name = f'{image.image_id}.png'
            writer.add(f'requests/{name}', encode_labels(packed.plan.shown * np.uint8(255)))
            if image.prelabels is not None:
                writer.add(f'prelabels/{name}', encode_labels(image.prelabels))
        names = ''.join(f'   {i:5d}  {name}\n' for i, name in enumerate(package.labels.classes))
        return README.format(classes=names)

    def read(
        self, export: ToolExport, request: RequestFolder, labels: LabelSet
    ) -> Iterator[tuple[str | None, ImageLabels | None]]:
        """Reads the masks, of a package only those in ``masks/``.

        A requested pixel of 255 is an answer: its class cannot be said.

        Raises:
            UserError: A mask has a wrong size, type or class ids.
        """
        is_package = MANIFEST in export.names
        for name in (n for n in export.names if n.startswith('masks/') or not is_package):
            image_id = request.match(name) if name.lower().endswith('.png') else None
            if image_id is None:
                yield None, None
                continue
            where = f'{export.path}: {name}'
            mask, asked = decode(export.read(name), where), request.mask(image_id)
            check_size(where, mask.shape, asked.shape)
            if mask.dtype == bool:
                raise UserError(f'{where} has 1 bit per pixel: write class ids with 8 bits')
            foreign = foreign_ids(mask[asked], len(labels.classes))
            if foreign:
                raise UserError(
                    f'{where} has the class ids {foreign} inside of the request, but the classes '
                    f'are 0 to {len(labels.classes) - 1}, and 255 = cannot be said: correct it'
                )
            found = ImageLabels(asked.shape)
            found.labels, found.labelled = mask, asked | (mask != IGNORE_INDEX)
            yield image_id, found
