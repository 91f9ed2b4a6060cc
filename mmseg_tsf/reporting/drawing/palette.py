"""Colours of classes: the data set's own, and such as colour-blind people can tell apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

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
"""Okabe and Ito's colours, orange first and black last."""

# Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as it looks without one cone
BLINDNESS = {
    'protanopia': (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    'deuteranopia': (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    'tritanopia': (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
LEVELS = (0, 51, 102, 153, 204, 255)  # of each channel, among which further colours are sought


def safe_palette(number: int) -> np.ndarray:
    """``(K, 3)`` uint8: Okabe and Ito's colours, then the farthest from all that are taken.

    Args:
        number: K. The more classes, the closer the nearest two colours.
    """
    chosen = [np.asarray(OKABE_ITO[:number], np.uint8).reshape(-1, 3)]
    candidates = np.asarray(list(itertools.product(LEVELS, repeat=3)), np.uint8)
    white = np.full((1, 3), 255, np.uint8)  # the page's own
    least = distances(candidates, np.concatenate([white, *chosen])).min(axis=1)
    for _ in range(number - len(OKABE_ITO)):
        best = candidates[least.argmax()][None]
        chosen.append(best)
        least = np.minimum(least, distances(candidates, best)[:, 0])
    return np.concatenate(chosen)


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``(M, N)`` differences (Lab) of ``(M, 3)`` and ``(N, 3)`` colours, for the worst eyes."""
    found = []
    for matrix in (np.eye(3), *map(np.asarray, BLINDNESS.values())):
        pairs = to_lab(one, matrix)[:, None], to_lab(other, matrix)[None]
        found.append(np.linalg.norm(pairs[0] - pairs[1], axis=2))
    return np.min(found, axis=0)


def to_lab(colours: np.ndarray, seen_by: np.ndarray) -> np.ndarray:
    """CIE Lab (D65) of ``(N, 3)`` uint8 sRGB colours after a matrix on linear RGB."""
    values = np.asarray(colours, float) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = (linear @ np.asarray(seen_by, float).T).clip(0, 1)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = linear @ (to_xyz / to_xyz.sum(axis=1, keepdims=True)).T  # white is 1, 1, 1
    curved = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = curved.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def to_hex(colours: Sequence[Sequence[int]]) -> list[str]:
    """Colours as ``'#rrggbb'``."""
    return ['#' + bytes(int(value) for value in colour).hex() for colour in colours]
