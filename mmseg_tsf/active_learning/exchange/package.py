"""Package: a request as a folder that can be taken to an annotation tool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import mmcv
import numpy as np

from ...utils.errors import UserError
from ...utils.files import FolderWriter, seal
from ..registry import EXCHANGE_FORMATS
from .annotation_plan import AnnotationPlan, make_plan
from .formats.base import Package, PackedImage
from .label_set import LabelSet
from .pictures import browser_copy
from .preview import draw_preview
from .request import AskedImage, RequestFolder

README = """\
Round {number}: {pixels} pixels in {images} images need labels: {regions} regions and {points}
single pixels, about {clicks} clicks.{left_out}

previews/ shows what to label: the rest of each image is grey, the regions are numbered in the order
in which they are listed, and circles surround single pixels. Beside it stand the predictions of
the network, if there are any. Labels outside of the request are not used.

{steps}
Then bring the export back to the machine of the training run:

  python tools/active_learning/import_answers.py RUN EXPORT --format {format}

where RUN is the folder of the run and EXPORT the file or folder that the annotation tool has
written, and start the training again with --resume.
"""


def export_request(
    request: RequestFolder,
    out: Path,
    exchange_format: dict,
    join: int = 0,
    min_pixels: int = 1,
    prelabels: bool = True,
    track: Callable[[Iterator[PackedImage]], Iterable[PackedImage]] = iter,
) -> dict:
    """Writes a package, all or nothing.

    Args:
        request: Request to export.
        out: Folder of the package; must not exist.
        exchange_format: Config of an exchange format, such as ``dict(type='cvat')``.
        join: See :func:`~.annotation_plan.make_plan`.
        min_pixels: See :func:`~.annotation_plan.make_plan`.
        prelabels: Whether annotators see the predictions of the network.
        track: Function that passes the images on and may display the progress.

    Returns:
        dict: Manifest of the package.

    Raises:
        StoreError: The folder exists, or cannot be written.
        UserError: A file of the request is missing.
    """
    labels, notes = LabelSet(request.classes), {}
    plan = partial(make_plan, join=join, min_pixels=min_pixels)
    with seal(out) as writer:
        images = track(_pack_all(request, writer, labels, plan, prelabels, notes))
        package = Package(
            writer, out.name, request.number, request.tag, request.digest, labels, images
        )
        steps = EXCHANGE_FORMATS.build(exchange_format).write_package(package)
        writer.info = dict(
            round=request.number,
            request=request.digest,
            format=exchange_format['type'],
            classes=dict(enumerate(labels.names)),
            images=notes,
            total=_total(notes),
        )
        writer.add('README.txt', _readme(writer.info, steps).encode())
    return writer.info


def _pack_all(
    request: RequestFolder,
    writer: FolderWriter,
    labels: LabelSet,
    make: Callable[[np.ndarray], AnnotationPlan],
    prelabels: bool,
    notes: dict[str, dict],
) -> Iterator[PackedImage]:
    """Images one by one; writes their previews and collects their notes by image id."""
    for image in request.asked_images():
        image.prelabels = image.prelabels if prelabels else None
        pixels = _pixels(image)
        packed = _pack(image, pixels, make(image.asked))
        picture = draw_preview(pixels, image, packed.plan, labels)
        writer.add(f'previews/{image.image_id}.png', picture)
        notes[image.image_id] = _notes(packed)
        yield packed


def _pack(image: AskedImage, pixels: np.ndarray, plan: AnnotationPlan) -> PackedImage:
    suffix, content = image.file.suffix, image.file.read_bytes()
    copy = browser_copy(suffix, pixels)
    if copy is not None:
        suffix, content = '.png', copy
    return PackedImage(image, plan, f'{image.image_id}{suffix}', content)


def _pixels(image: AskedImage) -> np.ndarray:
    """``(H, W, 3)`` uint8 BGR, which every viewer shows alike."""
    pixels = mmcv.imread(str(image.file), flag='color_ignore_orientation')
    if pixels is None or pixels.shape[:2] != image.asked.shape:
        raise UserError(
            f'{image.file} is not the image of the request: it must have '
            f'{image.asked.shape[1]}x{image.asked.shape[0]} pixels'
        )
    return pixels


def _notes(packed: PackedImage) -> dict:
    asked = packed.image.asked
    return dict(
        file=packed.file_name,
        size=list(asked.shape),
        pixels=int(asked.sum()),
        **packed.plan.describe(),
    )


def _total(notes: dict[str, dict]) -> dict[str, int]:
    names = ('pixels', 'regions', 'points', 'clicks', 'left_out')
    sums = {name: sum(image[name] for image in notes.values()) for name in names}
    return dict(images=len(notes), **sums)


def _readme(info: dict, steps: str) -> str:
    total, left_out = info['total'], ''
    if total['left_out']:
        left_out = (
            f'\n{total["left_out"]} more requested pixels lie in islands too small to be shown: '
            'they stay without a label.'
        )
    total = dict(total, left_out=left_out)
    return README.format(number=info['round'], format=info['format'], steps=steps, **total)
