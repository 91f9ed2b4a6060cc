"""Three encodings of a mask as run lengths, which are mutually incompatible.

=============  ============  ===================  ==============================================
dialect        order         covers               written as
=============  ============  ===================  ==============================================
COCO           by columns    the whole image      lengths, empty run first; or those as text
CVAT           by rows       the bounding box     lengths, and the box
Label Studio   by rows       the whole image,     bits: 4 header fields, then runs of values
                             4 channels           (rle-pack of the thi.ng libraries)
=============  ============  ===================  ==============================================

The codecs are our own, because ``pycocotools`` and the SDKs of CVAT and Label Studio are compiled
or large dependencies for a few lines; the tests use all three as references.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ....utils.errors import UserError
from ..readers.values import BrokenShape, whole

LONGEST_COUNT = 7
"""Largest number of characters of one run length in COCO's text, 35 bits."""
CHANNELS = 4
"""Number of channels of a Label Studio brush: red, green, blue, opacity."""
WORD, LENGTHS = 8, (3, 4, 8, 16)
"""Numbers of bits of a value and of a run length, as in Label Studio's own encoder."""
HEADER = 53
"""Number of bits before the first run: number of values, bits of a value, bits of four lengths."""


def encode_coco(mask: np.ndarray) -> list[int]:
    """Run lengths of an ``(H, W)`` bool mask, down the columns."""
    return _lengths(mask.ravel(order='F'))


def decode_coco(counts: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` bool mask; inverse of :func:`encode_coco`.

    Raises:
        BrokenShape: The runs do not fill the image.
    """
    left, columns = decode_columns(counts, size)
    mask = np.zeros(size, bool)
    mask[:, left : left + columns.shape[1]] = columns
    return mask


def decode_columns(counts: Sequence[int], size: tuple[int, int]) -> tuple[int, np.ndarray]:
    """The part of a COCO mask that is not empty.

    Args:
        counts: Run lengths, see :func:`encode_coco`.
        size: Height and width of the image.

    Returns:
        tuple: First column, and ``(H, w)`` bool mask from it on.

    Raises:
        BrokenShape: The runs do not fill the image.
    """
    height, width = size
    ends = _as_lengths(counts, height * width).cumsum()
    inside = np.flatnonzero(np.diff(ends)[::2]) * 2
    if not len(inside):
        return 0, np.zeros((height, 0), bool)
    left, right = int(ends[inside[0]]) // height, -(-int(ends[inside[-1] + 1]) // height)
    edges = np.clip(ends[inside[0] : inside[-1] + 2] - left * height, 0, None)
    lengths = np.diff(edges, prepend=0, append=(right - left) * height)
    return left, _repeat(lengths).reshape(right - left, height).T


def compress_coco(counts: Iterable[int]) -> str:
    """COCO's text of run lengths: differences to the last but one run, 5 bits per character."""
    counts, text = list(counts), []
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text.append(chr(48 + bits + 32 * more))
            if not more:
                break
    return ''.join(text)


def decompress_coco(text: str) -> np.ndarray:
    """Int64 run lengths; inverse of :func:`compress_coco`.

    Raises:
        BrokenShape: The text is truncated, or holds invalid characters or numbers.
    """
    codes = np.array([text]).view(np.uint32) if text else np.zeros(0, np.uint32)
    bits = codes.astype(np.int64) - 48
    if ((bits < 0) | (bits > 63)).any():
        character = text[int(np.flatnonzero((bits < 0) | (bits > 63))[0])]
        raise BrokenShape(f'{character!r} cannot be part of a COCO mask')
    last = np.flatnonzero(bits < 32)
    if len(bits) and bits[-1] >= 32:
        raise BrokenShape('the COCO mask is truncated')
    first = np.concatenate([[0], last[:-1] + 1])[: len(last)]
    lengths = last - first + 1
    if (lengths > LONGEST_COUNT).any():
        raise BrokenShape('the COCO mask holds a number that is too large')
    shift = 5 * (np.arange(len(bits)) - np.repeat(first, lengths))
    counts = np.add.reduceat((bits & 31) << shift, first) if len(first) else first
    counts = counts - np.where(bits[last] & 16, np.int64(1) << 5 * lengths, 0)
    counts[1::2], counts[2::2] = counts[1::2].cumsum(), counts[2::2].cumsum()
    return counts


def encode_cvat(mask: np.ndarray) -> tuple[list[int], tuple[int, int, int, int]]:
    """Run lengths of an ``(H, W)`` bool mask along the rows of its bounding box, and the box.

    The box is left, top, width, height as in CVAT's XML. CVAT's API appends left, top, right and
    bottom to the lengths instead, where right and bottom are the last column and row of the mask.

    Raises:
        UserError: The mask is empty.
    """
    if not mask.any():
        raise UserError('an empty mask has no bounding box')
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) - top + 1, int(columns[-1]) - left + 1
    crop = mask[top : top + height, left : left + width]
    return _lengths(crop.ravel()), (left, top, width, height)


def decode_cvat(
    lengths: Sequence[int] | str, box: tuple[int, int, int, int], size: tuple[int, int]
) -> np.ndarray:
    """``(H, W)`` bool mask; inverse of :func:`encode_cvat`.

    Raises:
        BrokenShape: The box leaves the image, or the runs do not fill it.
    """
    left, top, width, height = box
    part = decode_box(lengths, box, size)
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = part
    return mask


def decode_box(
    lengths: Sequence[int] | str, box: tuple[int, int, int, int], size: tuple[int, int]
) -> np.ndarray:
    """``(height, width)`` bool mask inside of a box of CVAT, see :func:`encode_cvat`.

    Args:
        lengths: Run lengths along the rows, as numbers or as text with commas.
        box: Left, top, width, height.
        size: Height and width of the image.

    Raises:
        BrokenShape: The box leaves the image, or the runs do not fill it.
    """
    left, top, width, height = box
    if min(left, top) < 0 or min(width, height) < 1:
        raise BrokenShape(f'the box {box} (left, top, width, height) is empty or negative')
    if left + width > size[1] or top + height > size[0]:
        raise BrokenShape(f'the box {box} (left, top, width, height) leaves the image')
    if isinstance(lengths, str):
        lengths = [whole(length) for length in lengths.split(',')] if lengths.strip() else []
    return _repeat(_as_lengths(lengths, width * height)).reshape(height, width)


def encode_label_studio(mask: np.ndarray) -> list[int]:
    """Bytes of a Label Studio brush from an ``(H, W)`` bool mask."""
    bits = [f'{mask.size * CHANNELS:032b}{WORD - 1:05b}', *(f'{n - 1:04b}' for n in LENGTHS)]
    for i, length in enumerate(_lengths(mask.ravel())):
        value = f'{255 * (i % 2):08b}'
        left = length * CHANNELS
        while left:
            run = min(left, 1 << LENGTHS[-1])
            kind = next(k for k, n in enumerate(LENGTHS) if run <= 1 << n)
            bits.append(f'1{kind:02b}{run - 1:0{LENGTHS[kind]}b}{value}')
            left -= run
    text = ''.join(bits)
    num = len(text) // 8 + 1  # Label Studio, too, pads by a whole byte where none is needed
    return list((int(text, 2) << (8 * num - len(text))).to_bytes(num, 'big'))


def decode_label_studio(rle: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` bool mask where a Label Studio brush is at least half opaque.

    Raises:
        BrokenShape: The brush is not a list of bytes, is truncated, or belongs to an image of
            another size.
    """
    if not isinstance(rle, (list, tuple, bytes)):
        raise BrokenShape('the brush is not a list of bytes')
    try:
        content = bytes(rle)
    except (ValueError, TypeError, OverflowError):
        raise BrokenShape('the brush is not a list of bytes') from None
    if not content:
        return np.zeros(size, bool)
    num = size[0] * size[1] * CHANNELS
    values, counts = _unpack(content, num)
    values = np.repeat(np.frombuffer(values, np.uint8), np.array(counts, np.int64))
    return values.reshape(*size, CHANNELS)[..., -1] >= 128


def _read_header(content: bytes, num: int) -> list[int]:
    """Numbers of bits of the four kinds of run lengths, for ``num`` values."""
    fields = int.from_bytes(content[: HEADER // 8 + 1], 'big') >> 8 - HEADER % 8
    if len(content) * 8 < HEADER:
        raise BrokenShape('the brush is truncated')
    if fields >> HEADER - 32 != num:
        there = (fields >> HEADER - 32) // CHANNELS
        raise BrokenShape(f'the brush has {there} pixels, the image {num // CHANNELS}')
    if (fields >> 16 & 31) != WORD - 1:
        raise BrokenShape('the brush does not have 8 bits per channel')
    return [(fields >> 12 - 4 * kind & 15) + 1 for kind in range(len(LENGTHS))]


def _unpack(content: bytes, num: int) -> tuple[bytearray, list[int]]:
    """Values and run lengths of ``num`` values, in time that grows with the content alone."""
    sizes = _read_header(content, num)
    values, counts, at, end = bytearray(), [], HEADER, 8 * len(content)
    done, content = 0, content + bytes(8)
    while done < num:
        # flag, kind, length and one value fit into 5 bytes
        window = int.from_bytes(content[at >> 3 : (at >> 3) + 5], 'big') << (at & 7)
        length = sizes[window >> 37 & 3]
        run = (window >> 37 - length & (1 << length) - 1) + 1
        start = at + 3 + length
        if window >> 39 & 1:
            at = start + WORD
            values.append(window >> 29 - length & 255)
            counts.append(run)
        else:
            at = start + run * WORD
            literal = int.from_bytes(content[start >> 3 : (at + 7) >> 3], 'big') >> (-at & 7)
            values += (literal & (1 << run * WORD) - 1).to_bytes(run, 'big')
            counts += [1] * run
        done += run
        if at > end:
            raise BrokenShape('the brush is truncated')
    if done > num:  # the last run may end behind the image
        surplus = done - num
        while counts[-1] <= surplus:
            surplus -= counts.pop()
        counts[-1] -= surplus
        del values[len(counts) :]
    return values, counts


def _lengths(flat: np.ndarray) -> list[int]:
    """Run lengths of a flat bool array; the first run is of False and may be empty."""
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(edges, prepend=0, append=flat.size).tolist()
    return [0, *lengths] if flat[0] else lengths


def _as_lengths(lengths: Sequence[int], num: int) -> np.ndarray:
    """Int64 run lengths that cover ``num`` pixels.

    Raises:
        BrokenShape: They do not, or are not whole numbers.
    """
    try:
        array = np.asarray(lengths)
    except (ValueError, TypeError, OverflowError, RecursionError):
        array = None
    if array is None or array.ndim != 1 or array.dtype.kind not in 'iu' and array.size:
        raise BrokenShape('the runs of the mask are not whole numbers')
    if array.size > 2 * num + 2:
        raise BrokenShape(f'the mask has {array.size} runs, more than its {num} pixels need')
    if array.size and (array.min() < 0 or array.max() > num):
        odd = array.min() if array.min() < 0 else array.max()
        raise BrokenShape(f'a run of the mask covers {odd} of {num} pixels')
    if array.sum() != num:
        raise BrokenShape(f'the runs of the mask cover {array.sum()} pixels, not {num}')
    return array.astype(np.int64)


def _repeat(lengths: np.ndarray) -> np.ndarray:
    """Flat bool array; inverse of :func:`_lengths`."""
    return np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
