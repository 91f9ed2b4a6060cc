"""PNGs of an export: pixels of the expected size, which is checked first, or one error."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from ....utils.errors import UserError
from .values import BrokenShape

EIGHT_BITS = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA')
"""Pillow's modes of PNGs with at most 8 bits per channel."""
DAMAGES = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, EOFError,
    OverflowError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises for a damaged file, ``UnidentifiedImageError`` among it."""


def check_size(where: str, found: tuple[int, int], size: tuple[int, int]) -> None:
    """Checks that labels have the size of their image.

    Args:
        where: Place of the labels, for the error message.
        found: Height and width of the labels.
        size: Height and width of the image.

    Raises:
        UserError: The sizes differ.
    """
    if tuple(found) != tuple(size):
        raise UserError(
            f'{where} is {found[1]}x{found[0]} pixels, its image {size[1]}x{size[0]}: label the '
            'images of the package in their own size'
        )


@contextlib.contextmanager
def open_png(content: bytes, size: tuple[int, int], where: str) -> Iterator[Image.Image]:
    """Context with a PNG of at most 8 bits per channel, of which nothing is decoded yet.

    Args:
        content: Content of the file.
        size: Height and width that it must have.
        where: Place of the file, for error messages.

    Raises:
        UserError: The content is not such a PNG, also where the context finds out.
    """
    try:
        with Image.open(io.BytesIO(content), formats=['PNG']) as image:
            check_size(where, image.size[::-1], size)
            if image.mode not in EIGHT_BITS:
                raise UserError(
                    f'{where} has more than 8 bits per channel (its mode is {image.mode}): write '
                    'it with 8 bits'
                )
            yield image
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(f'{where} is too large ({error}): cut its image into tiles') from None
    except DAMAGES:
        raise UserError(f'{where} is not a complete PNG: export it again') from None


def read_colours(content: bytes, size: tuple[int, int], where: str) -> np.ndarray:
    """``(H, W)`` int32 colours ``0xrrggbb`` of a PNG; -1 where it is more transparent than not.

    Args:
        content: Content of the file; grey-scale, palette, one bit and colours are read alike.
        size: Height and width that it must have.
        where: Place of the file, for error messages.

    Raises:
        UserError: The content is not a complete PNG of that size.
    """
    with open_png(content, size, where) as image:
        rgba = np.asarray(image.convert('RGBA')).astype(np.int32)
    codes = rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
    return np.where(rgba[..., 3] < 128, -1, codes)


def read_mask(text: object, size: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` bool mask of a PNG in base 64, with or without ``data:`` before it.

    Pixels inside are the opaque ones, or those that are not black if nothing is transparent.

    Args:
        text: Text with the PNG.
        size: Height and width that it must have.

    Raises:
        BrokenShape: The text is not a complete PNG of that size.
    """
    try:
        content = base64.b64decode(text.rpartition(',')[2], validate=True)
    except (ValueError, AttributeError):
        raise BrokenShape('its picture is not in base 64') from None
    try:
        with open_png(content, size, 'its picture') as image:
            if image.has_transparency_data:
                return np.asarray(image.convert('RGBA').getchannel('A')) >= 128
            return np.asarray(image.convert('L')) > 0
    except UserError as error:
        raise BrokenShape(str(error)) from None
