"""PNGs of every mode, damaged ones, and ones that would fill the memory."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from exchange_runs import few, masks
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmseg_tsf.active_learning.exchange.readers.pictures import read_colours, read_mask
from mmseg_tsf.active_learning.exchange.readers.values import BrokenShape
from mmseg_tsf.utils.errors import UserError


def png(picture, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format='PNG', **options)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of zeros that is a thousand times as large in memory as on disk."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack('>I', zlib.crc32(kind + content))
        return struct.pack('>I', len(content)) + kind + content + check

    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * min(height, 64)))
    parts = chunk(b'IHDR', header), chunk(b'IDAT', rows), chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


def test_every_mode_gives_its_colours():
    rgb = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    codes = rgb.astype(int) @ [1 << 16, 1 << 8, 1]
    assert np.array_equal(read_colours(png(Image.fromarray(rgb)), (5, 6), 'x'), codes)
    palette = Image.fromarray(rgb).quantize(30)
    expected = np.asarray(palette.convert('RGB')).astype(int) @ [1 << 16, 1 << 8, 1]
    assert np.array_equal(read_colours(png(palette), (5, 6), 'x'), expected)
    grey = Image.fromarray(rgb[..., 0])
    expected = rgb[..., 0].astype(int) * 0x010101
    assert np.array_equal(read_colours(png(grey), (5, 6), 'x'), expected)
    clear = np.concatenate([rgb, rgb[..., :1]], 2)
    found = read_colours(png(Image.fromarray(clear)), (5, 6), 'x')
    assert np.array_equal(found, np.where(rgb[..., 0] < 128, -1, codes))


def test_the_size_is_looked_at_before_the_pixels():
    with pytest.raises(UserError, match='x is 12000x12000 pixels, its image 6x5'):
        read_colours(bomb(12000, 12000), (5, 6), 'x')
    with pytest.raises(UserError, match='x is too large'):
        read_colours(bomb(10**6, 10**6), (10**6, 10**6), 'x')


@few
@given(st.data())
def test_damaged_pictures_are_refused_or_read(data):
    content = bytearray(png(Image.fromarray(np.zeros((5, 6), np.uint8)).convert('P')))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        assert read_colours(bytes(content), (5, 6), 'x').shape == (5, 6)
    except UserError as error:
        assert str(error).startswith('x ')


@few
@given(masks)
def test_masks_in_base_64_come_back(mask):
    for picture in (mask, mask.astype(np.uint8), mask * np.uint8(255)):
        text = base64.b64encode(png(Image.fromarray(picture))).decode()
        assert np.array_equal(read_mask(text, mask.shape), mask)
        assert np.array_equal(read_mask(f'data:image/png;base64,{text}', mask.shape), mask)
    with pytest.raises(BrokenShape, match='its picture is .* pixels, its image'):
        read_mask(text, (mask.shape[0] + 1, mask.shape[1]))
    for wrong in ('ä', 'AAA', None, 5, ['A'], ''):
        with pytest.raises(BrokenShape, match='its picture is not'):
            read_mask(wrong, mask.shape)
