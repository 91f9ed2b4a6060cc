"""The folder in which people find what is asked of them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np

from ...models.utils.pixel_losses import IGNORE_INDEX
from ...utils.files import MANIFEST, FolderWriter, StoreError, remove_leftovers, seal
from ..store.label_png import encode_labels
from ..store.round_part import Part

ANSWERS = 'answers'
INNER, OUTER = (0, 255, 255), (0, 0, 0)
"""Colours (BGR) of an outline: yellow, black at its outer side, so that it shows on anything."""

README = """\
Round {number}: labels are wanted for {pixels} pixels in {images} images.

For every image in images/, write a PNG of the same name into answers/:

1. Look at outlines/<name>.png: what is asked lies inside of the yellow lines with black edges.
   requests/<name>.png holds the same as a mask: 255 = asked, 0 = not asked.
2. Write answers/<name>.png with one channel of 8 bits and exactly as many pixels as the image
   (a palette PNG is read by its indices). Each asked pixel gets the number of its class:

{classes}
   or 255 where nobody can say what it shows. Pixels that are not asked are not read.
   prelabels/<name>.png holds what the network believes, in the same form: copy it into answers/
   and correct it there, if that is quicker.
3. When every image has its answer, start the training again with --resume.

Files in images/ may be links: copy this folder with `cp -rL` to take it elsewhere. Change nothing
but answers/.
"""


def write_request_folder(
    path: Path,
    number: int,
    request: Part,
    files: dict[str, str],
    classes: Sequence[str],
    predict: Callable[[str], np.ndarray],
) -> None:
    """Writes the folder beside its place and renames it there; leaves one that is there alone.

    Args:
        path: The folder.
        number: Of the round.
        request: Which pixels of which images.
        files: Image file of each image id.
        classes: Names, in the order of their ids.
        predict: ``(H, W)`` uint8 class ids of an image by its id.

    Raises:
        StoreError: The folder belongs to another request, or can not be written.
    """
    if path.exists():
        _check_belongs(path, request)
        return
    remove_leftovers(path.parent)
    with seal(path) as writer:
        (writer.path / ANSWERS).mkdir()
        for image_id, file in files.items():
            _write_image(writer, image_id, file, request.array(image_id), predict)
        writer.add('README.txt', _readme(number, request, classes).encode())
        writer.info = dict(
            round=number,
            request=request.sealed.digest,
            classes=dict(enumerate(classes)),
            cannot_be_said=IGNORE_INDEX,
            images={i: dict(size=notes['size']) for i, notes in request.images.items()},
        )


def outline(image: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Draws lines around what is asked; the asked pixels themselves stay as they are.

    Args:
        image: ``(H, W, 3)`` uint8.
        asked: ``(H, W)`` bool.

    Returns:
        ``(H, W, 3)`` uint8, a copy; lines are 1 px wide per 500 px of the longer side.
    """
    width = max(1, round(max(asked.shape) / 500))
    window = np.ones((2 * width + 1,) * 2, np.uint8)
    inner = cv2.dilate(asked.astype(np.uint8), window)
    outer = cv2.dilate(inner, window)
    drawn = image.copy()
    drawn[(outer > 0) & (inner == 0)] = OUTER
    drawn[(inner > 0) & ~asked] = INNER
    return drawn


def _write_image(writer: FolderWriter, image_id: str, file: str, asked, predict) -> None:
    for folder in ('images', ANSWERS):
        (writer.path / folder / image_id).parent.mkdir(parents=True, exist_ok=True)
    _link(Path(file).resolve(), writer.path / f'images/{image_id}{Path(file).suffix}')
    # as the file stores it, since that is the resolution of requests
    image = mmcv.imread(file, flag='color_ignore_orientation')
    picture = cv2.imencode('.png', outline(image, asked))[1].tobytes()
    writer.add(f'outlines/{image_id}.png', picture)
    # 8 bits, as programs for labelling want it
    writer.add(f'requests/{image_id}.png', encode_labels(asked * np.uint8(255)))
    prelabels = np.where(asked, predict(image_id), IGNORE_INDEX)
    writer.add(f'prelabels/{image_id}.png', encode_labels(prelabels))


def _link(target: Path, link: Path) -> None:
    try:
        os.symlink(target, link)
    except OSError:  # not every file system has links
        shutil.copyfile(target, link)


def _readme(number: int, request: Part, classes: Sequence[str]) -> str:
    names = ''.join(f'   {i:5d}  {name}\n' for i, name in enumerate(classes))
    pixels = sum(int(request.array(image_id).sum()) for image_id in request.images)
    return README.format(number=number, pixels=pixels, images=len(request.images), classes=names)


def _check_belongs(path: Path, request: Part) -> None:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
    except (OSError, ValueError):
        manifest = {}
    if manifest.get('request') != request.sealed.digest:
        raise StoreError(
            f'{path} was not written for this request: move it away, start again with --resume, '
            'and move those of its answers that belong here into the folder that is then written'
        )
