"""Folder in which annotators find a request and leave their answers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...models.utils.labels import IGNORE_INDEX
from ...utils.files import (
    MANIFEST,
    FolderWriter,
    SealedFolder,
    StoreError,
    remove_leftovers,
    seal,
    sha256,
)
from ...utils.image_header import is_shown_alike
from ..store.label_png import encode_labels
from ..store.records import SealedRequest
from .annotation_plan import make_plan
from .label_set import LabelSet
from .page import PAGE, PageImage, build_page
from .pictures import browser_copy, encode_png, outline
from .request_checks import ANSWERS, check_images, digests_of

README = """\
Round {number}: {pixels} pixels in {images} images need labels.

Either open annotate.html with a browser, label there, save, and bring the saved file to the machine
of the training run:

  python tools/active_learning/import_answers.py RUN FILE --format page

where RUN is the folder of the run and FILE the saved file. Or, for every image in images/, write a
PNG of the same name into answers/:

1. Look at outlines/<name>.png: the requested pixels lie inside of the yellow lines with black
   edges. requests/<name>.png holds them as a mask: 255 = requested, 0 = not requested.
2. Write answers/<name>.png with one channel of 8 bits and the size of the image (a palette PNG is
   read by its indices). Each requested pixel gets the number of its class:

{classes}
   or 255 if its class cannot be said. Pixels that are not requested are ignored.
   prelabels/<name>.png holds the prediction of the network in the same form: you can copy it into
   answers/ and correct it there.
3. When every image has its answer, start the training again with --resume.

Files in images/ may be links: use `cp -rL` to copy this folder elsewhere. Change nothing but
answers/.
"""


def write_request_folder(
    path: Path,
    request: SealedRequest,
    files: dict[str, str],
    classes: Sequence[str],
    predict: Callable[[str], np.ndarray],
    picture: Callable[[str], np.ndarray],
) -> None:
    """Writes the folder, all or nothing; does nothing if it was written for this request before.

    Args:
        path: Path of the folder.
        request: Requested pixels.
        files: Image file of each image id.
        classes: Class names in the order of their ids.
        predict: Function that returns the ``(H, W)`` uint8 class ids predicted for an image id.
        picture: Function that returns the ``(H, W, 3)`` uint8 BGR pixels to which the request
            refers, as the pipeline loads the image. Where a viewer may show the file otherwise,
            annotators get these pixels as PNG.

    Raises:
        StoreError: The folder belongs to another request, or cannot be written.
        UserError: Images are no longer those that were requested.
    """
    if path.exists():
        _check_belongs(path, request)
        check_images(digests_of(SealedFolder(path).manifest), files, path)
        return
    remove_leftovers(path.parent)
    with seal(path) as writer:
        (writer.path / ANSWERS).mkdir()
        pages = [
            _write_image(writer, image_id, file, request.mask(image_id), predict, picture)
            for image_id, file in sorted(files.items())
        ]
        labels = LabelSet(tuple(classes))
        writer.add(PAGE, build_page(request.digest, request.number, labels, pages))
        writer.add('README.txt', _readme(request, classes).encode())
        writer.info = dict(
            round=request.number,
            request=request.digest,
            classes=dict(enumerate(classes)),
            cannot_be_said=IGNORE_INDEX,
            images={
                i: dict(size=size, sha256=sha256(Path(files[i])))
                for i, size in request.sizes.items()
            },
        )


def _write_image(
    writer: FolderWriter,
    image_id: str,
    file: str,
    mask: np.ndarray,
    predict: Callable[[str], np.ndarray],
    picture: Callable[[str], np.ndarray],
) -> PageImage:
    """Writes what people need of one image, and returns what the page asks about it."""
    for folder in ('images', ANSWERS):
        (writer.path / folder / image_id).parent.mkdir(parents=True, exist_ok=True)
    image = picture(image_id)
    suffix = Path(file).suffix
    if is_shown_alike(file):
        _link(Path(file).resolve(), writer.path / f'images/{image_id}{suffix}')
    else:
        suffix = '.png'
        writer.add(f'images/{image_id}.png', encode_png(image))
    writer.add(f'outlines/{image_id}.png', encode_png(outline(image, mask)))
    # 8 bits, which every image editor can open
    writer.add(f'requests/{image_id}.png', encode_labels(mask * np.uint8(255)))
    prelabels = np.where(mask, predict(image_id), IGNORE_INDEX)
    writer.add(f'prelabels/{image_id}.png', encode_labels(prelabels))
    shown = f'images/{image_id}{suffix}'
    copy = browser_copy(suffix, image)
    if copy is not None:
        shown = f'images_for_page/{image_id}.png'
        writer.add(shown, copy)
    return PageImage.make(image_id, shown, make_plan(mask), image, prelabels)


def _link(target: Path, link: Path) -> None:
    try:
        os.symlink(target, link)
    except OSError:  # not every file system supports links
        shutil.copyfile(target, link)


def _readme(request: SealedRequest, classes: Sequence[str]) -> str:
    names = ''.join(f'   {i:5d}  {name}\n' for i, name in enumerate(classes))
    pixels = sum(int(request.mask(image_id).sum()) for image_id in request.images)
    amounts = dict(number=request.number, pixels=pixels, images=len(request.images))
    return README.format(classes=names, **amounts)


def _check_belongs(path: Path, request: SealedRequest) -> None:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
    except (OSError, ValueError):
        manifest = {}
    if manifest.get('request') != request.digest:
        raise StoreError(
            f'{path} was not written for this request: move it away, start again with --resume, '
            'and copy those of its answers that still apply into the new folder'
        )
