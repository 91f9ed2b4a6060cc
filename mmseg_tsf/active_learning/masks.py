"""Masks as PNG bytes, and what a mask costs a person."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy import ndimage

from ..models.utils.pixel_losses import IGNORE_INDEX
from .files import StoreError


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


def count_clicks(mask: np.ndarray) -> int:
    """Estimate of the clicks that labelling a mask takes: components and outline vertices.

    A component of one pixel is one click; a larger one is opened by a click and outlined by the
    vertices of its polygon, holes included.

    Args:
        mask: ``(H, W)`` bool.
    """
    labels, components = ndimage.label(mask)
    if not components:
        return 0
    sizes = np.bincount(labels.ravel())[1:]
    large = np.concatenate(([False], sizes > 1))[labels]
    outlines, _ = cv2.findContours(large.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return components + sum(len(outline) for outline in outlines)


def count_components(mask: np.ndarray) -> int:
    """Connected components (4 neighbours) of ``(H, W)`` bool."""
    return ndimage.label(mask)[1]


def class_counts(labels: np.ndarray, num_classes: int) -> list[int]:
    """Pixels of each class in ``(H, W)`` class ids."""
    counts = np.bincount(labels[labels != IGNORE_INDEX].ravel(), minlength=num_classes)
    return counts[:num_classes].tolist()


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    return buffer.getvalue()
