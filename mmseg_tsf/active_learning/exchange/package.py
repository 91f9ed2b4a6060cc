"""A request as a folder that can be taken to where people label."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import mmcv
import numpy as np
from PIL import Image

from ...utils.errors import UserError
from ...utils.files import FolderWriter, seal
from .annotation_plan import Plan, make_plan
from .label_set import LabelSet
from .preview import draw_preview
from .request import AskedImage, Request

SHOWN_BY_BROWSERS = ('.png', '.jpg', '.jpeg', '.webp')
ORIENTATION = 0x0112
"""EXIF tag; other values than 1 turn a picture when it is shown, but not the request."""

README = """\
Round {number}: labels are wanted for {pixels} pixels in {images} images: {regions} regions and
{points} single pixels, about {clicks} clicks.{left_out}

previews/ shows what to label: the rest of each image is grey, the regions are numbered in the order
in which they are listed, and circles surround single pixels. Beside it stands what the network
believes, if that was asked. What is labelled outside of the request is not used.

{steps}
Then bring the export back to where the training runs:

  python tools/active_learning/import_answers.py RUN EXPORT --format {format}

where RUN is the folder of the run and EXPORT is what the annotation tool has written, and start
the training again with --resume.
"""


@dataclass
class Packed:
    """One image on its way into a package.

    Attributes:
        image: What is asked.
        plan: How it is shown.
        file_name: Of the image in the package, below its folder of images.
        content: Of that file.
    """

    image: AskedImage
    plan: Plan
    file_name: str
    content: bytes


def export_request(
    request: Request,
    out: Path,
    name: str,
    write_package: Callable[..., str],
    join: int = 0,
    min_pixels: int = 1,
    prelabels: bool = True,
    progress: Callable[[Iterator[Packed]], Iterable[Packed]] = iter,
    **options,
) -> dict:
    """Writes a package, all or nothing.

    Args:
        request: What is asked.
        out: Folder; must not exist.
        name: Of the format.
        write_package: Of the format's module.
        join: See :func:`~.regions.make_plan`.
        min_pixels: Likewise.
        prelabels: Whether people see what the network believes.
        progress: Passes the images on, and may show how far it is.
        **options: Of ``write_package``.

    Returns:
        dict: The manifest.

    Raises:
        StoreError: The folder exists, or can not be written.
        UserError: Something of the request is missing; names it.
    """
    labels, notes = LabelSet(request.classes), {}
    with seal(out) as writer:
        passed = progress(_packed(request, writer, labels, join, min_pixels, prelabels, notes))
        steps = write_package(writer, passed, labels, request.number, **options)
        writer.info = dict(
            round=request.number,
            request=request.digest,
            format=name,
            classes=dict(enumerate(labels.names)),
            images=notes,
            total=_total(notes),
        )
        writer.add('README.txt', _readme(writer.info, steps).encode())
    return writer.info


def write_images(writer: FolderWriter, images: Iterator[Packed]) -> Iterator[Packed]:
    """Puts the images into ``images/`` as they pass."""
    for packed in images:
        writer.add(f'images/{packed.file_name}', packed.content)
        yield packed


def _packed(
    request: Request,
    writer: FolderWriter,
    labels: LabelSet,
    join: int,
    min_pixels: int,
    prelabels: bool,
    notes: dict[str, dict],
) -> Iterator[Packed]:
    """The images one by one; writes their previews, and notes their amounts by image id."""
    for image in request.images():
        image.prelabels = image.prelabels if prelabels else None
        pixels = _pixels(image)
        packed = _pack(image, pixels, make_plan(image.asked, join, min_pixels))
        picture = draw_preview(pixels, image, packed.plan, labels)
        writer.add(f'previews/{image.image_id}.png', picture)
        notes[image.image_id] = _notes(packed)
        yield packed


def _pack(image: AskedImage, pixels: np.ndarray, plan: Plan) -> Packed:
    suffix = image.file.suffix
    content = image.file.read_bytes()
    if suffix.lower() not in SHOWN_BY_BROWSERS or _is_turned(content):
        suffix, content = '.png', cv2.imencode('.png', pixels)[1].tobytes()
    return Packed(image, plan, f'{image.image_id}{suffix}', content)


def _is_turned(content: bytes) -> bool:
    with Image.open(io.BytesIO(content)) as image:
        return image.getexif().get(ORIENTATION, 1) != 1


def _pixels(image: AskedImage) -> np.ndarray:
    """``(H, W, 3)`` uint8 BGR as the file stores it, which is how requests count."""
    pixels = mmcv.imread(str(image.file), flag='color_ignore_orientation')
    if pixels is None or pixels.shape[:2] != image.asked.shape:
        raise UserError(
            f'{image.file} is not the image that was asked about: it must have '
            f'{image.asked.shape[1]}x{image.asked.shape[0]} pixels'
        )
    return pixels


def _notes(packed: Packed) -> dict:
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
            f'\n{total["left_out"]} more pixels were asked in islands too small to be shown: they '
            'stay without a label.'
        )
    total = dict(total, left_out=left_out)
    return README.format(number=info['round'], format=info['format'], steps=steps, **total)
