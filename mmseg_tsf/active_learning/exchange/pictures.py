"""Image files as a browser shows them: pixel for pixel as they are stored."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

BROWSER_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')
ORIENTATION = 0x0112
"""EXIF tag; values other than 1 rotate an image on display, but not the request."""


def browser_copy(suffix: str, content: bytes, pixels: np.ndarray) -> bytes | None:
    """PNG of an image that a browser would not show, or would rotate; ``None`` for others.

    Args:
        suffix: Suffix of its file.
        content: Content of its file.
        pixels: ``(H, W, 3)`` uint8 BGR as stored in the file.
    """
    if suffix.lower() in BROWSER_SUFFIXES and not _is_rotated(content):
        return None
    return cv2.imencode('.png', pixels)[1].tobytes()


def _is_rotated(content: bytes) -> bool:
    with Image.open(io.BytesIO(content)) as image:
        return image.getexif().get(ORIENTATION, 1) != 1
