"""Pictures for people: outlines of what is asked, and copies for browsers."""

from __future__ import annotations

import cv2
import numpy as np

BROWSER_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp')
INNER, OUTER = (0, 255, 255), (0, 0, 0)
"""Colours (BGR) of an outline: yellow with a black outer edge, visible on any image."""


def browser_copy(suffix: str, pixels: np.ndarray) -> bytes | None:
    """PNG of an image whose kind browsers do not show; ``None`` for the others.

    Images of a request folder have no EXIF orientation: where a viewer would turn the file, the
    folder holds a PNG already.

    Args:
        suffix: Suffix of its file.
        pixels: ``(H, W, 3)`` uint8 BGR.

    Returns:
        bytes | None: Content of a PNG file.
    """
    if suffix.lower() in BROWSER_SUFFIXES:
        return None
    return encode_png(pixels)


def encode_png(pixels: np.ndarray) -> bytes:
    """PNG of ``(H, W, 3)`` uint8 BGR pixels."""
    return cv2.imencode('.png', pixels)[1].tobytes()


def outline(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Draws lines around a mask without touching the pixels inside of it.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        mask: ``(H, W)`` bool.

    Returns:
        ``(H, W, 3)`` uint8 copy; the lines are 1 px wide per 500 px of the longer side.
    """
    width = max(1, round(max(mask.shape) / 500))
    window = np.ones((2 * width + 1,) * 2, np.uint8)
    inner = cv2.dilate(mask.astype(np.uint8), window)
    outer = cv2.dilate(inner, window)
    drawn = image.copy()
    drawn[(outer > 0) & (inner == 0)] = OUTER
    drawn[(inner > 0) & ~mask] = INNER
    return drawn
