"""Requests as pages, and a large one for tests of speed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.active_learning.exchange.annotation_plan import make_plan
from mmseg_tsf.active_learning.exchange.page.units import number_units
from mmseg_tsf.active_learning.exchange.request import RequestFolder
from mmseg_tsf.active_learning.exchange.request_folder import write_request_folder
from mmseg_tsf.datasets.image_reading import ImageReader


def page_data(page: Path) -> dict:
    """The request inside a page."""
    text = page.read_text()
    return json.loads(re.search(r'id="request">(.*?)</script>', text, re.S)[1])


def make_request(
    folder: Path,
    asked: dict[str, np.ndarray],
    beliefs: dict[str, np.ndarray],
    classes: tuple[str, ...],
    suffix: str = '.png',
) -> RequestFolder:
    """A request folder with its page, and images of noise.

    Args:
        folder: Folder of a run.
        asked: ``(H, W)`` bool mask by image id.
        beliefs: ``(H, W)`` uint8 predicted class ids by image id.
        classes: Class names.
        suffix: Suffix of the image files.
    """
    files, rng = {}, np.random.default_rng(0)
    for image_id, mask in asked.items():
        path = folder / f'pool/{image_id}{suffix}'
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (mask.shape[0] // 8 + 1, mask.shape[1] // 8 + 1, 3), np.uint8)
        Image.fromarray(cv2.resize(small, mask.shape[::-1])).save(path)
        files[image_id] = str(path)
    store = RoundStore(folder / 'rounds')
    store.open(dict(classes=list(classes), annotation_dir='annotation'), ())
    # the browser keeps work by the digest of the request, and each test wants its own
    notes = dict(pixels=1, regions=1, clicks=1, folder=str(folder))
    request = store.write_request(0, ((i, mask, notes) for i, mask in asked.items()), {})
    path = folder / 'annotation/round_000'

    def picture(image_id):
        return ImageReader().picture(dict(img_path=files[image_id]))

    write_request_folder(path, request, files, classes, beliefs.__getitem__, picture)
    return RequestFolder(path)


def units_of(request: RequestFolder, image_id: str) -> np.ndarray:
    """``(H, W)`` numbers from 1 of the units in the order in which the page asks them."""
    mask = request.mask(image_id)
    pixels = cv2.imread(str(request.image_file(image_id)))
    return number_units(make_plan(mask), pixels, request.prelabels(image_id))


def cells(size: tuple[int, int], number: int, seed: int = 0) -> np.ndarray:
    """``(H, W)`` bool mask of about so many ragged cells, which do not touch."""
    height, width = size
    rng = np.random.default_rng(seed)
    step = (height * width / number) ** 0.5
    rows, columns = (int(np.ceil(side / step)) for side in size)
    seeds = np.full(size, 255, np.uint8)
    y, x = np.mgrid[:rows, :columns]
    y = ((y + rng.uniform(0.2, 0.8, y.shape)) * height / rows).astype(int)
    x = ((x + rng.uniform(0.2, 0.8, x.shape)) * width / columns).astype(int)
    seeds[y, x] = 0
    _, found = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    shift = [cv2.GaussianBlur(rng.normal(0, 6, size).astype(np.float32), (0, 0), 2) for _ in 'yx']
    grid = np.indices(size, np.float32)
    found = cv2.remap(
        found.astype(np.float32),
        grid[1] + shift[1],
        grid[0] + shift[0],
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    window = np.ones((3, 3), np.uint8)
    return cv2.dilate(found, window) == cv2.erode(found, window)


def large_request(folder: Path) -> RequestFolder:
    """200 images: one of 4000x3000 pixels with 3000 regions, the others small."""
    rng = np.random.default_rng(1)
    asked, beliefs = {}, {}
    for i in range(200):
        size, number = ((3000, 4000), 3000) if i == 0 else ((240, 320), 8)
        asked[f'image_{i:03d}'] = cells(size, number, seed=i)
        coarse = rng.integers(0, 5, (size[0] // 40, size[1] // 40), np.uint8)
        beliefs[f'image_{i:03d}'] = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST)
    return make_request(folder, asked, beliefs, ('a', 'b', 'c', 'd', 'e'), '.jpg')
