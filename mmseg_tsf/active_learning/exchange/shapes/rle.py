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

CHANNELS = 4
"""Number of channels of a Label Studio brush: red, green, blue, opacity."""
WORD, LENGTHS = 8, (3, 4, 8, 16)
"""Numbers of bits of a value and of a run length, as in Label Studio's own encoder."""


def encode_coco(mask: np.ndarray) -> list[int]:
    """Run lengths of an ``(H, W)`` bool mask, down the columns."""
    return _lengths(mask.ravel(order='F'))


def decode_coco(counts: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` bool mask; inverse of :func:`encode_coco`.

    Raises:
        UserError: The runs do not fill the image.
    """
    return _repeat(counts, size[0] * size[1]).reshape(size[::-1]).T


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


def decompress_coco(text: str) -> list[int]:
    """Run lengths; inverse of :func:`compress_coco`.

    Raises:
        UserError: The text is truncated or holds invalid characters.
    """
    counts, value, shift = [], 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise UserError(f'{character!r} cannot be part of a COCO mask')
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise UserError('the COCO mask is truncated')
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
    lengths: Sequence[int], box: tuple[int, int, int, int], size: tuple[int, int]
) -> np.ndarray:
    """``(H, W)`` bool mask; inverse of :func:`encode_cvat`.

    Raises:
        UserError: The box leaves the image, or the runs do not fill it.
    """
    left, top, width, height = box
    if min(left, top) < 0 or min(width, height) < 1:
        raise UserError(f'the box {box} (left, top, width, height) is empty or negative')
    if left + width > size[1] or top + height > size[0]:
        raise UserError(f'the box {box} (left, top, width, height) leaves the image')
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = _repeat(lengths, width * height).reshape(
        height, width
    )
    return mask


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
        UserError: The brush is truncated, or belongs to an image of another size.
    """
    bits, at = ''.join(f'{byte:08b}' for byte in bytes(rle)), 0

    def read(num: int) -> int:
        nonlocal at
        at += num
        if at > len(bits):
            raise UserError('the brush is truncated')
        return int(bits[at - num : at], 2)

    num = read(32)
    if num != size[0] * size[1] * CHANNELS:
        raise UserError(f'the brush has {num // CHANNELS} pixels, the image {size[0] * size[1]}')
    word = read(5) + 1
    lengths = [read(4) + 1 for _ in LENGTHS]
    values, done = np.zeros(num, np.uint8), 0
    while done < num:
        repeated = read(1)
        end = done + read(lengths[read(2)]) + 1
        if repeated:
            values[done:end] = read(word)
        else:
            values[done:end] = [read(word) for _ in range(min(end, num) - done)]
        done = end
    return values.reshape(*size, CHANNELS)[..., -1] >= 128


def _lengths(flat: np.ndarray) -> list[int]:
    """Run lengths of a flat bool array; the first run is of False and may be empty."""
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(edges, prepend=0, append=flat.size).tolist()
    return [0, *lengths] if flat[0] else lengths


def _repeat(lengths: Sequence[int], num: int) -> np.ndarray:
    """Flat bool array; inverse of :func:`_lengths`."""
    lengths = np.asarray(lengths, np.int64)
    if (lengths < 0).any() or lengths.sum() != num:
        raise UserError(f'the runs of the mask cover {lengths.sum()} pixels, not {num}')
    return np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
