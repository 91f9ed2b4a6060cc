"""Outlines along the edges of pixels, and their lossless conversion back to a mask.

Points are ``(x, y)`` with the left upper corner of the image at (0, 0) and that of pixel
``[row, column]`` at (column, row).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..readers.values import BrokenShape

MAX_CROSSINGS = 4_000_000
"""Largest number of crossings between one ring and rows of pixels."""
STEPS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
"""Directions of an edge: east, south, west, north."""


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Rings around a mask: an outer ring and one ring per hole for each component.

    Pixels have 4 neighbours. The ring that begins highest comes first, so an outer ring precedes
    its holes.

    Args:
        mask: ``(H, W)`` bool.

    Returns:
        list: ``(N, 2)`` int corners of each ring, the first one not repeated; outer rings run
        clockwise.
    """
    edges = _edges(mask)
    known, seen, rings = set(edges), set(), []
    for start in edges:
        if start not in seen:
            ring = _follow(start, known)
            seen.update(ring)
            rings.append(_corners(np.array(ring)))
    return rings


def fill(rings: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Mask of the pixels whose centres lie inside an odd number of rings.

    Args:
        rings: ``(N, 2)`` points of each ring, closed or not.
        size: Height and width.

    Returns:
        ``(H, W)`` bool.

    Raises:
        BrokenShape: See :func:`fill_box`.
    """
    top, left, part = fill_box(rings, size)
    mask = np.zeros(size, bool)
    mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    return mask


def fill_box(rings: Sequence[np.ndarray], size: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    """Like :func:`fill`, without the rows and columns around the rings.

    Args:
        rings: ``(N, 2)`` points of each ring, closed or not; finite.
        size: Height and width of the image.

    Returns:
        tuple: First row and column, and ``(h, w)`` bool mask from there on.

    Raises:
        BrokenShape: The rings run up and down so often that filling them takes gigabytes.
    """
    rings = [np.asarray(ring, float) for ring in rings if len(ring)]
    if not rings:
        return 0, 0, np.zeros((0, 0), bool)
    whole = np.concatenate(rings)
    (left, top), (right, bottom) = (
        np.clip(corner, 0, size[::-1]).astype(int).tolist()
        for corner in (np.floor(whole.min(0)), np.ceil(whole.max(0)))
    )
    height, width = bottom - top, right - left
    flat = [np.zeros(1, int)]
    for ring in rings:
        rows, columns = _crossings(ring - (left, top), height)
        flat.append(rows * width + np.clip(columns, 0, width))
    # every row is entered as often as it is left, so that runs alternate through all rows
    edges = np.sort(np.concatenate(flat))
    lengths = np.diff(edges, append=height * width)
    return top, left, np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)


def cut_holes(rings: Sequence[np.ndarray]) -> np.ndarray:
    """Joins an outer ring and its holes to one ring by slits of zero width.

    Args:
        rings: ``(N, 2)`` corners of each ring, the outer one first.

    Returns:
        ``(M, 2)`` corners, from which :func:`fill` makes the same mask.
    """
    whole = rings[0]
    for hole in rings[1:]:
        distances = np.abs(whole[:, None] - hole[None]).sum(-1)
        i, j = np.unravel_index(distances.argmin(), distances.shape)
        whole = np.concatenate([whole[: i + 1], hole[j:], hole[: j + 1], whole[i:]])
    return whole


def _edges(mask: np.ndarray) -> list[tuple[int, int, int]]:
    """Pixel sides at the border of a mask: start ``(x, y)`` and direction of each."""
    padded = np.pad(mask, 1)
    inner = padded[1:-1, 1:-1]
    # north, east, south and west sides, traversed with the mask on the right
    outside = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
    edges = []
    for direction, (other, shift) in enumerate(
        zip(outside, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True)
    ):
        rows, columns = np.nonzero(inner & ~other)
        xs, ys = (columns + shift[0]).tolist(), (rows + shift[1]).tolist()
        edges += [(x, y, direction) for x, y in zip(xs, ys, strict=True)]
    return edges


def _follow(start: tuple[int, int, int], known: set) -> list[tuple[int, int, int]]:
    """Edges of one ring; where two pixels touch at a corner, it stays at the same pixel."""
    ring, edge = [], start
    while not ring or edge != start:
        ring.append(edge)
        x, y, direction = edge
        x, y = x + int(STEPS[direction][0]), y + int(STEPS[direction][1])
        turns = ((x, y, (direction + turn) % 4) for turn in (1, 0, 3))
        edge = next(turn for turn in turns if turn in known)
    return ring


def _corners(ring: np.ndarray) -> np.ndarray:
    return ring[ring[:, 2] != np.roll(ring[:, 2], 1), :2]


def _crossings(ring: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose middle a ring crosses, and the first column centre right of each crossing."""
    ends = np.stack([ring, np.roll(ring, -1, 0)], 1)
    # downwards, so that both directions of a slit are crossed at the same place
    ends = np.take_along_axis(ends, ends[..., 1].argsort(1, kind='stable')[..., None], 1)
    (x0, y0), (x1, y1) = ends[:, 0].T, ends[:, 1].T
    first, last = (np.clip(np.ceil(y - 0.5), 0, height).astype(int) for y in (y0, y1))
    counts = last - first
    if counts.sum() > MAX_CROSSINGS:
        raise BrokenShape(f'its outline crosses rows more than {MAX_CROSSINGS:,} times')
    edge = np.repeat(np.arange(len(ring)), counts)
    rows = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts) + first[edge]
    slope = (x1 - x0)[edge] / (y1 - y0)[edge]
    columns = np.ceil(x0[edge] + (rows + 0.5 - y0[edge]) * slope - 0.5)
    return rows, columns.astype(int)
