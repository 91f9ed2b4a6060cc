"""Thumbnails keep every requested pixel, and their colours are those of the palette."""

import io

import numpy as np
import pytest
from PIL import Image

from mmseg_tsf.datasets.image_reading import ImageReader
from mmseg_tsf.reporting.drawing.thumbnails import (
    LONGEST,
    paint,
    small_image,
    small_labels,
    small_mask,
    small_size,
    small_sparse,
)


@pytest.mark.parametrize(
    'size, expected',
    [((40, 48), (40, 48)), ((1024, 2048), (160, 320)), ((5000, 3), (320, 1))],
)
def test_sizes(size, expected):
    assert small_size(size) == expected and max(expected) <= LONGEST


def test_single_pixels_stay():
    mask = np.zeros((64, 128), bool)
    mask[[3, 63, 20], [5, 127, 64]] = True
    small = small_mask(mask, (8, 16))
    assert sorted(zip(*np.nonzero(small), strict=True)) == [(0, 0), (2, 8), (7, 15)]
    labels = np.where(mask, 3, 255).astype(np.uint8)
    sparse = small_sparse(labels, (8, 16), 4)
    assert sparse.dtype == np.uint8 and np.array_equal(sparse == 3, small)
    assert (sparse[~small] == 255).all()


def test_dense_labels_are_taken_at_the_middle():
    labels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert small_labels(labels, (2, 2)).tolist() == [[5, 7], [13, 15]]


def test_paint_is_a_palette_png_whose_255_is_transparent():
    palette = np.array([[1, 2, 3], [40, 50, 60]], np.uint8)
    image = Image.open(io.BytesIO(paint(np.array([[0, 1, 255]], np.uint8), palette)))
    assert image.mode == 'P'
    colours = np.asarray(image.convert('RGBA'))[0].tolist()
    assert colours[:2] == [[1, 2, 3, 255], [40, 50, 60, 255]] and colours[2][3] == 0


def test_images_that_can_not_be_read_are_none(tmp_path):
    (tmp_path / 'broken.png').write_bytes(b'PNG?')
    assert small_image(tmp_path / 'broken.png', (4, 4), ImageReader()) is None
    assert small_image(tmp_path / 'missing.png', (4, 4), ImageReader()) is None
    Image.new('RGBA', (40, 20), (250, 10, 10, 255)).save(tmp_path / 'image.png')
    image = Image.open(io.BytesIO(small_image(tmp_path / 'image.png', (10, 20), ImageReader())))
    assert image.format == 'JPEG' and image.size == (20, 10)
    assert np.abs(np.asarray(image).astype(int) - [250, 10, 10]).max() < 8
