"""Rectangles and ellipses, upright or turned, as the pixels whose centres lie inside of them."""

from __future__ import annotations

import math

import numpy as np

from ..readers.values import points


def rectangle(
    box: tuple[float, float, float, float],
    degrees: float,
    pivot: tuple[float, float],
    size: tuple[int, int],
) -> np.ndarray:
    """``(4, 2)`` corners of a rectangle.

    Args:
        box: Left, top, right, bottom in pixels before it is turned.
        degrees: Clockwise angle by which it is turned.
        pivot: Column and row around which it is turned.
        size: Height and width of the image.

    Raises:
        BrokenShape: A corner is far from the image.
    """
    left, top, right, bottom = box
    corners = points([(left, top), (right, top), (right, bottom), (left, bottom)], size)
    if not degrees:
        return corners
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (corners - pivot) @ np.array([[cosine, sine], [-sine, cosine]]) + pivot


def ellipse(
    centre: tuple[float, float], radii: tuple[float, float], degrees: float, size: tuple[int, int]
) -> tuple[int, int, np.ndarray]:
    """First row and column, and ``(h, w)`` bool mask of the part of an ellipse on the image.

    Args:
        centre: Column and row.
        radii: Horizontal and vertical radius in pixels before it is turned.
        degrees: Clockwise angle by which it is turned around its centre.
        size: Height and width of the image.

    Raises:
        BrokenShape: The ellipse reaches far from the image.
    """
    (x0, y0), (rx, ry) = centre, (abs(radius) for radius in radii)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half = np.array([math.hypot(rx * cosine, ry * sine), math.hypot(rx * sine, ry * cosine)])
    corners = points([np.array(centre) - half, np.array(centre) + half], size)
    (left, top), (right, bottom) = (
        np.clip(corner, 0, size[::-1]).astype(int).tolist()
        for corner in (np.floor(corners[0]), np.ceil(corners[1]))
    )
    x = np.arange(left, right) + 0.5 - x0
    y = (np.arange(top, bottom) + 0.5 - y0)[:, None]
    along, across = x * cosine + y * sine, y * cosine - x * sine
    return top, left, (across * rx) ** 2 + (along * ry) ** 2 <= (rx * ry) ** 2
