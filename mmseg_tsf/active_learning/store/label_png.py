"""Masks and label maps as PNG bytes."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...models.utils.labels import IGNORE_INDEX
from ...utils.files import StoreError


def encode_mask(mask: np.ndarray) -> bytes:
    """PNG with one bit per pixel of an ``(H, W)`` bool mask."""
    return _png(Image.fromarray(mask.astype(np.uint8) * 255).convert('1'))


def encode_labels(labels: np.ndarray) -> bytes:
    """PNG with one byte per pixel of ``(H, W)`` uint8 class ids, 255 = no label."""
    return _png(Image.fromarray(labels.astype(np.uint8)))


def decode(content: bytes, name: str) -> np.ndarray:
    """``(H, W)`` array of a PNG: bool for one bit per pixel, else uint8 (also palette indices).

    Args:
        content: Content of the file.
        name: Name of the file for error messages.

    Raises:
        StoreError: The content is not a complete PNG with one channel.
    """
    try:
        with Image.open(io.BytesIO(content), formats=['PNG']) as image:
            array = np.array(image)
    except Image.DecompressionBombError as error:
        raise StoreError(
            f'{name} is too large to be read ({error}): cut its image into tiles'
        ) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, MemoryError):
        raise StoreError(f'{name} is not a complete PNG: write it again') from None
    if array.ndim != 2 or array.dtype not in (np.uint8, np.bool_):
        raise StoreError(
            f'{name} has shape {array.shape} and type {array.dtype}: it must have one channel of '
            'class ids with 8 bits'
        )
    return array


def foreign_ids(labels: np.ndarray, num_classes: int) -> list[int]:
    """Sorted ids among uint8 labels that are neither a class nor 255."""
    return sorted(set(np.unique(labels).tolist()) - {*range(num_classes), IGNORE_INDEX})


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    return buffer.getvalue()
