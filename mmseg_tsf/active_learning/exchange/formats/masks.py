"""Masks in a folder: for any program that can edit a picture of class ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ....models.utils.pixel_losses import IGNORE_INDEX
from ....utils.errors import UserError
from ....utils.files import MANIFEST, FolderWriter
from ...store.label_png import decode, encode_labels
from ..answers import Answer, check_size
from ..export_file import Exported
from ..label_set import LabelSet
from ..package import Packed, write_images
from ..request import Request

README = """\
Masks:

1. Write masks/<name>.png for each image, with one channel of 8 bits and as many pixels as the
   image. Each asked pixel gets the number of its class, or 255 where nobody can tell:

{classes}
   requests/<name>.png shows what is asked: 255 = asked, 0 = not asked.
   Pixels that are not asked are not read.
2. prelabels/<name>.png, where it is there, holds what the network believes in the same form: copy
   it into masks/ and correct it there, if that is quicker.
3. The export is the folder masks/ (or this folder, or a zip archive of either).
"""


def write_package(
    writer: FolderWriter, images: Iterable[Packed], labels: LabelSet, number: int
) -> str:
    """Writes images, requests and what the network believes; returns how to go on."""
    (writer.path / 'masks').mkdir()
    for packed in write_images(writer, images):
        image = packed.image
        name = f'{image.image_id}.png'
        writer.add(f'requests/{name}', encode_labels(packed.plan.shown * np.uint8(255)))
        if image.prelabels is not None:
            writer.add(f'prelabels/{name}', encode_labels(image.prelabels))
    names = ''.join(f'   {i:5d}  {name}\n' for i, name in enumerate(labels.classes))
    return README.format(classes=names)


def read(
    export: Exported, request: Request, labels: LabelSet
) -> Iterator[tuple[str | None, Answer]]:
    """What each mask says; an asked pixel of 255 counts as "can not be said".

    Of a package only ``masks/`` is read.

    Raises:
        UserError: A mask of a wrong size, type or with class ids that do not exist; names it.
    """
    packed = MANIFEST in export.names
    for name in (n for n in export.names if n.startswith('masks/') or not packed):
        image_id = request.match(name) if name.lower().endswith('.png') else None
        if image_id is None:
            yield None, Answer((0, 0))
            continue
        where = f'{export.path}: {name}'
        mask = decode(export.read(name), where)
        check_size(where, mask.shape, request.sizes[image_id])
        if mask.dtype == bool:
            raise UserError(f'{where} has 1 bit a pixel: write class ids with 8 bits')
        asked = request.asked(image_id)
        used = set(np.unique(mask[asked]).tolist())
        foreign = sorted(used - {*range(len(labels.classes)), IGNORE_INDEX})
        if foreign:
            raise UserError(
                f'{where} has the class ids {foreign} where labels were asked, but the classes '
                f'are 0 to {len(labels.classes) - 1}, and 255 for what can not be said: correct it'
            )
        answer = Answer(request.sizes[image_id])
        answer.labels, answer.said = mask, asked | (mask != IGNORE_INDEX)
        yield image_id, answer
