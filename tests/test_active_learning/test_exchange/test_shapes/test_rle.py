"""Run lengths against values by hand, and against the encoders of the tools themselves."""

import time

import numpy as np
import pycocotools.mask
import pytest
from exchange_runs import few, masks
from hypothesis import given

from mmseg_tsf.active_learning.exchange.shapes.rle import (
    compress_coco,
    decode_coco,
    decode_columns,
    decode_cvat,
    decode_label_studio,
    decompress_coco,
    encode_coco,
    encode_cvat,
    encode_label_studio,
)
from mmseg_tsf.utils.errors import UserError

MASK = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]], bool)


def bits(*fields: str) -> list[int]:
    """Bytes of fields of bits, filled up with zeros."""
    text = ''.join(fields)
    text += '0' * (8 - len(text) % 8)
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]


def header(pixels: int) -> str:
    return f'{4 * pixels:032b}' + '00111' + '0010' + '0011' + '0111' + '1111'


def test_one_mask_is_written_in_three_ways():
    assert encode_coco(MASK) == [4, 1, 2, 2, 3]
    assert compress_coco([4, 1, 2, 2, 3]) == '41211'
    assert encode_cvat(MASK) == ([0, 2, 1, 1], (1, 1, 2, 2))
    runs = ['110' + f'{20 - 1:08b}' + '0' * 8, '100' + '111' + '1' * 8, '101' + '1011' + '0' * 8]
    runs += ['100' + '011' + '1' * 8, '100' + '011' + '0' * 8]
    assert encode_label_studio(MASK) == bits(header(12), *runs)


def test_a_dialect_is_not_read_as_another():
    lengths, box = encode_cvat(MASK)
    with pytest.raises(UserError, match='cover 4 pixels, not 12'):
        decode_coco(lengths, MASK.shape)
    with pytest.raises(UserError, match='cover 12 pixels, not 4'):
        decode_cvat(encode_coco(MASK), box, MASK.shape)
    assert not np.array_equal(decode_cvat(encode_coco(MASK), (0, 0, 4, 3), MASK.shape), MASK)


@few
@given(masks)
def test_round_trips(mask):
    assert np.array_equal(decode_coco(encode_coco(mask), mask.shape), mask)
    counts = encode_coco(mask)
    assert decompress_coco(compress_coco(counts)).tolist() == counts
    assert np.array_equal(decode_label_studio(encode_label_studio(mask), mask.shape), mask)
    if mask.any():
        assert np.array_equal(decode_cvat(*encode_cvat(mask), mask.shape), mask)


def test_long_runs():
    mask = np.zeros((300, 400), bool)
    mask[200:, 7:] = True
    assert np.array_equal(decode_label_studio(encode_label_studio(mask), mask.shape), mask)
    assert decompress_coco(compress_coco(encode_coco(mask))).tolist() == encode_coco(mask)
    assert np.array_equal(decode_coco(encode_coco(mask), mask.shape), mask)


def test_a_brush_from_the_browser_has_colours_soft_edges_and_unlike_pixels_in_a_row():
    alpha = [0, 127, 128, 255]
    pixels = ''.join(f'{v:08b}' for a in alpha for v in (200, 30, 10, a))
    found = decode_label_studio(bits(header(4), '0' + '01' + '1111', pixels), (2, 2))
    assert found.tolist() == [[False, False], [True, True]]


@pytest.mark.parametrize(
    ('work', 'text'),
    [
        (lambda: decode_coco([3, 4], (2, 4)), 'cover 7 pixels, not 8'),
        (lambda: decode_coco([9, -1], (2, 4)), 'a run of the mask covers -1 of 8'),
        (lambda: decompress_coco('4`'), 'truncated'),
        (lambda: decompress_coco('4 1'), "' ' cannot be part"),
        (lambda: decode_cvat([4], (3, 0, 2, 2), (4, 4)), 'leaves the image'),
        (lambda: decode_cvat([4], (-1, 0, 2, 2), (4, 4)), 'is empty or negative'),
        (lambda: encode_cvat(np.zeros((2, 2), bool)), 'empty mask'),
        (lambda: decode_label_studio(encode_label_studio(MASK)[:-3], (3, 4)), 'truncated'),
        (lambda: decode_label_studio(encode_label_studio(MASK), (4, 4)), '12 pixels, the image 16'),
        (lambda: decode_label_studio([0, 0], (4, 4)), 'truncated'),
        (lambda: decode_label_studio(10**12, (4, 4)), 'is not a list of bytes'),
        (lambda: decode_label_studio([256], (4, 4)), 'is not a list of bytes'),
        (lambda: decode_label_studio(bits(header(12).replace('00111', '11111')), (3, 4)), '8 bits'),
        # sums that overflow, or memory for them, must not be reached
        (lambda: decode_coco([2**62] * 4, (2, 4)), 'a run of the mask covers 46116'),
        (lambda: decode_coco([-(2**62), 2**62 + 8], (2, 4)), 'a run of the mask covers -46116'),
        (lambda: decode_coco([10**30], (2, 4)), 'are not whole numbers'),
        (lambda: decode_coco([[8]], (2, 4)), 'are not whole numbers'),
        (lambda: decode_coco('8', (2, 4)), 'are not whole numbers'),
        (lambda: decode_coco([0] * 99 + [8], (2, 4)), '100 runs, more than its 8 pixels need'),
        (lambda: decompress_coco('o' * 10**6 + '0'), 'a number that is too large'),
        (lambda: decompress_coco('ooooooo7'), 'a number that is too large'),
        (lambda: decode_coco(decompress_coco('oooooo7'), (2, 4)), 'a run of the mask covers'),
        (lambda: decode_cvat(f'{2**63},8', (0, 0, 2, 2), (4, 4)), 'is not a whole number'),
    ],
)
def test_what_is_malformed_is_refused(work, text):
    with pytest.raises(UserError, match=text):
        work()


@few
@given(masks)
def test_coco_agrees_with_pycocotools(mask):
    encoded = pycocotools.mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert compress_coco(encode_coco(mask)) == encoded['counts'].decode()
    own = dict(size=list(mask.shape), counts=encode_coco(mask))
    decoded = pycocotools.mask.decode(pycocotools.mask.frPyObjects(own, *mask.shape))
    assert np.array_equal(decoded, mask)


@few
@given(masks)
def test_cvat_agrees_with_its_sdk(mask):
    theirs = pytest.importorskip('cvat_sdk.masks', reason='needs cvat-sdk[masks]: [cvat]')
    if mask.any():
        lengths, (left, top, width, height) = encode_cvat(mask)
        points = [*lengths, left, top, left + width - 1, top + height - 1]
        assert points == theirs.encode_mask(mask)
        sides = dict(image_width=mask.shape[1], image_height=mask.shape[0])
        assert np.array_equal(theirs.decode_mask(points, **sides), mask)


@few
@given(masks)
def test_label_studio_agrees_with_its_converter(mask):
    theirs = pytest.importorskip(
        'label_studio_sdk.converter.brush', reason='needs label-studio-sdk: [label-studio]'
    )
    encoded = theirs.mask2rle(mask.astype(np.uint8) * 255)
    assert encode_label_studio(mask) == encoded
    decoded = theirs.decode_rle(encode_label_studio(mask)).reshape(*mask.shape, 4)[..., 3]
    assert np.array_equal(decoded, mask * 255)
    assert np.array_equal(decode_label_studio(encoded, mask.shape), mask)


@few
@given(masks)
def test_columns_hold_all_of_a_mask_and_little_else(mask):
    wide = np.pad(mask, ((0, 0), (50, 70)))
    left, columns = decode_columns(encode_coco(wide), wide.shape)
    found = np.zeros_like(wide)
    found[:, left : left + columns.shape[1]] = columns
    assert np.array_equal(found, wide) and columns.shape[1] <= mask.shape[1]


def test_runs_behind_the_image_and_empty_brushes():
    fields = header(2) + '0' + '01' + '1111' + '11111111' * 16  # 16 values for 8
    assert decode_label_studio(bits(fields), (1, 2)).all()
    fields = header(2) + '1' + '10' + '11111111' + '11111111'  # 256 values
    assert decode_label_studio(bits(fields), (1, 2)).all()
    assert not decode_label_studio([], (3, 4)).any()
    assert decode_coco([0, 0, 3, 0, 0, 5], (2, 4)).sum() == 5  # runs may be empty


def test_time_grows_with_the_counts_alone():
    size, num = (500, 500), 250_000  # a quarter of a megabyte of each dialect
    stripes = np.arange(num).reshape(size) % 2 == 1  # every run is one pixel
    text = header(num // 2) + ('100' + '011' + '0' * 8 + '100' + '011' + '1' * 8) * (num // 4)
    brush = int(text + '0' * (-len(text) % 8), 2).to_bytes(-(-len(text) // 8), 'big')
    begin = time.process_time()
    assert np.array_equal(decode_coco(decompress_coco('111' + '0' * (num - 3)), size), stripes.T)
    found = decode_cvat(', '.join(['1'] * num), (0, 0, 500, 500), size)
    assert np.array_equal(found, stripes)
    assert np.array_equal(decode_label_studio(brush, (250, 500)), stripes[:250])
    assert len(brush) > 210_000 and time.process_time() - begin < 1
