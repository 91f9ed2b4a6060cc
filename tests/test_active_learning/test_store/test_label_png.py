"""Masks as files, and what they cost, against counts by hand."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mmseg_tsf.active_learning.selection.clicks import class_counts, count_clicks, count_components
from mmseg_tsf.active_learning.store.label_png import decode, encode_labels, encode_mask
from mmseg_tsf.utils.files import StoreError


def as_png(array, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array, **options).save(buffer, format='PNG')
    return buffer.getvalue()


def test_round_trips():
    rng = np.random.default_rng(0)
    mask = rng.random((7, 13)) < 0.3
    assert np.array_equal(decode(encode_mask(mask), 'm'), mask)
    assert decode(encode_mask(mask), 'm').dtype == bool
    labels = rng.integers(0, 256, (7, 13)).astype(np.uint8)
    assert np.array_equal(decode(encode_labels(labels), 'l'), labels)


def test_a_palette_image_is_read_by_its_indices():
    indices = np.array([[0, 1], [2, 255]], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette([9, 9, 9] * 256)
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    assert np.array_equal(decode(buffer.getvalue(), 'p'), indices)


def test_a_png_cut_short_anywhere_is_refused():
    rng = np.random.default_rng(0)
    content = encode_labels(rng.integers(0, 256, (9, 11)).astype(np.uint8))
    for length in range(len(content) - 20):  # behind that all pixels are there
        with pytest.raises(
            StoreError, match=r'answers/x\.png is not a complete PNG: write it again'
        ):
            decode(content[:length], 'answers/x.png')


def test_a_mask_that_is_too_large_is_named(monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 9)
    with pytest.raises(StoreError, match=r'x\.png is too large .*: cut its image into tiles'):
        decode(encode_labels(np.zeros((5, 5), np.uint8)), 'x.png')


def test_a_header_with_an_impossible_width_is_refused():
    buffer = io.BytesIO()
    Image.new('RGBA', (5, 2)).save(buffer, format='PNG')
    content = bytearray(buffer.getvalue())
    content[16:20] = struct.pack('>I', 0x0400007F)
    content[29:33] = struct.pack('>I', zlib.crc32(content[12:29]))
    with pytest.raises(StoreError, match='x is not a complete PNG: write it again'):
        decode(bytes(content), 'x')


def test_other_formats_and_types_are_refused():
    grey = np.zeros((8, 8), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format='JPEG')  # its class ids would be blurred
    with pytest.raises(StoreError, match='not a complete PNG'):
        decode(buffer.getvalue(), 'x.png')
    for array in (np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint16)):
        with pytest.raises(StoreError, match='one channel of class ids with 8 bits'):
            decode(as_png(array), 'x.png')


def test_clicks_are_components_and_vertices():
    mask = np.zeros((12, 12), bool)
    assert count_clicks(mask) == 0
    mask[0, 0] = mask[0, 5] = True  # two single pixels
    assert count_clicks(mask) == 2
    mask[3:6, 3:8] = True  # a rectangle: one click and four corners
    assert count_clicks(mask) == 2 + 1 + 4
    assert count_components(mask) == 3
    mask[:] = False
    mask[2:9, 2:9] = True
    mask[4:7, 4:7] = False  # a hole is outlined, too, through its eight diagonal neighbours
    assert count_clicks(mask) == 1 + 4 + 8


def test_diagonal_neighbours_are_components_of_their_own():
    assert count_components(np.eye(3, dtype=bool)) == 3
    assert count_clicks(np.eye(3, dtype=bool)) == 3


def test_class_counts_leave_void_out():
    labels = np.array([[0, 2, 2], [255, 255, 2]], np.uint8)
    assert class_counts(labels, 4) == [1, 0, 3, 0]
