"""Colours of classes that are safe for colour-blind readers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from colorspacious import cspace_convert, machado_et_al_2009_matrix

OKABE_ITO = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (0, 0, 0),
)
"""Okabe and Ito's palette, orange first and black last."""

VISION = ('deuteranomaly', 'protanomaly', 'tritanomaly')
"""Colour vision deficiencies that are simulated at full severity (Machado, Oliveira and Fernandes,
2009)."""
LEVELS = (0, 51, 102, 153, 204, 255)  # of each channel of the colours that may be added


def safe_palette(number: int) -> np.ndarray:
    """Palette that remains distinguishable under every colour vision deficiency.

    Starts with Okabe and Ito's colours and then adds the colour that is farthest from all chosen
    ones and from white. The more classes, the closer the nearest two colours.

    Args:
        number: Number of classes K.

    Returns:
        np.ndarray: ``(K, 3)`` uint8; a shorter palette is the beginning of a longer one.
    """
    chosen = [np.asarray(OKABE_ITO[:number], np.uint8).reshape(-1, 3)]
    candidates = np.asarray(list(itertools.product(LEVELS, repeat=3)), np.uint8)
    white = np.full((1, 3), 255, np.uint8)  # background of the page
    least = distances(candidates, np.concatenate([white, *chosen])).min(axis=1)
    for _ in range(number - len(OKABE_ITO)):
        best = candidates[least.argmax()][None]
        chosen.append(best)
        least = np.minimum(least, distances(candidates, best)[:, 0])
    return np.concatenate(chosen)


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Smallest CIE Lab distances of colours over normal and deficient colour vision.

    Args:
        one: ``(M, 3)`` uint8.
        other: ``(N, 3)`` uint8.

    Returns:
        np.ndarray: ``(M, N)``.
    """
    found = []
    for vision in (None, *VISION):
        first, second = to_lab(one, vision), to_lab(other, vision)
        found.append(np.linalg.norm(first[:, None] - second[None], axis=2))
    return np.min(found, axis=0)


def to_lab(colours: np.ndarray, vision: str | None) -> np.ndarray:
    """CIE Lab (D65) of ``(N, 3)`` uint8 sRGB colours as seen with one of :data:`VISION`."""
    linear = cspace_convert(np.asarray(colours) / 255, 'sRGB1', 'sRGB1-linear')
    if vision is not None:
        linear = linear @ machado_et_al_2009_matrix(vision, 100).T
    return cspace_convert(linear.clip(0, 1), 'sRGB1-linear', 'CIELab')


def to_hex(colours: Sequence[Sequence[int]]) -> list[str]:
    """Colours as ``'#rrggbb'``."""
    return ['#' + bytes(int(value) for value in colour).hex() for colour in colours]
