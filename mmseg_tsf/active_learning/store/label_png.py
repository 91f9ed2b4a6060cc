"""Masks as PNG bytes, and what a mask costs a person."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...utils.files import StoreError


def encode_mask(mask: np.ndarray) -> bytes:
    """PNG of one bit a pixel from ``(H, W)`` bool."""
    return _png(Image.fromarray(mask.astype(np.uint8) * 255).convert('1'))


def encode_labels(labels: np.ndarray) -> bytes:
    """PNG of one byte a pixel from ``(H, W)`` uint8 class ids, 255 = no label."""
    return _png(Image.fromarray(labels.astype(np.uint8)))


def decode(content: bytes, name: str) -> np.ndarray:
    """``(H, W)`` array of a PNG: bool for one bit a pixel, else uint8 (palette indices too).

    Args:
        content: The file.
        name: Of the file, for the message.

    Raises:
        StoreError: It is no complete PNG of one channel.
    """
    try:
        with Image.open(io.BytesIO(content), formats=['PNG']) as image:
            array = np.array(image)
    except Image.DecompressionBombError as error:
        raise StoreError(
            f'{name} is too large to be read ({error}): cut its image into tiles'
        ) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise StoreError(f'{name} is no complete PNG: write it again') from None
    if array.ndim != 2 or array.dtype not in (np.uint8, np.bool_):
        raise StoreError(
            f'{name} has shape {array.shape} and type {array.dtype}: it must be one channel of '
            'class ids, 8 bits each'
        )
    return array


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    return buffer.getvalue()
