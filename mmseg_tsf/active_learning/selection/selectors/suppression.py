"""Keeps asked cells apart: the best first, each with its neighbours out of the race."""

from __future__ import annotations

import cv2
import numpy as np


def suppress(cells: np.ndarray, rows: tuple, columns: tuple, most: int | None) -> np.ndarray:
    """Greedy choice of cells, each of which suppresses those in a box around it.

    Args:
        cells: ``(M, 2)`` different rows and columns on a grid, best first.
        rows: ``(h,)`` arrays: how many rows of the grid each one suppresses before and behind
            itself. Symmetric: one cell suppresses another if that one suppresses it.
        columns: ``(w,)`` arrays, as for the rows.
        most: Most cells to keep; ``None`` for no limit.

    Returns:
        np.ndarray: Positions in ``cells`` that are kept, best first.
    """
    reach = [side.max(initial=0) for side in (*rows, *columns)]
    if not any(reach):
        return np.arange(len(cells))[:most]
    if _is_even(*rows) and _is_even(*columns):
        return _local_maxima(cells, rows[0].max(), columns[0].max(), rows[0], columns[0])[:most]
    return _one_by_one(cells, rows, columns, most)


def _is_even(before: np.ndarray, behind: np.ndarray) -> bool:
    """Whether the reach is the same everywhere, but for the edges of the grid."""
    place = np.arange(len(before))
    reach = max(before.max(), behind.max())
    return bool(
        (before == np.minimum(reach, place)).all()
        and (behind == np.minimum(reach, place[::-1])).all()
    )


def _local_maxima(
    cells: np.ndarray, reach_y: int, reach_x: int, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """In rounds: whoever is the best in its box is kept, and its box is cleared.

    The same choice as one by one, and ten times as fast on a large grid.
    """
    rank = np.zeros((len(rows), len(columns)), np.float32)  # exact up to 2**24 cells
    row, column = cells.T
    rank[row, column] = np.arange(len(cells), 0, -1)
    box = np.ones((2 * int(reach_y) + 1, 2 * int(reach_x) + 1), np.uint8)
    kept = np.zeros(rank.shape, np.uint8)
    while rank.any():
        best = (cv2.dilate(rank, box) == rank) & (rank > 0)
        kept |= best
        rank[cv2.dilate(best.view(np.uint8), box) > 0] = 0
    return kept[row, column].nonzero()[0]


def _one_by_one(cells: np.ndarray, rows: tuple, columns: tuple, most: int | None) -> np.ndarray:
    """Cell by cell, where the boxes differ."""
    width = len(columns[0])
    # plain bytes and numbers: numpy costs more on these few cells at a time
    blocked, kept = bytearray(len(rows[0]) * width), []
    place = np.arange(len(rows[0]))
    first, last = ((place - rows[0]) * width).tolist(), ((place + rows[1] + 1) * width).tolist()
    left, span = columns[0].tolist(), (columns[0] + columns[1] + 1).tolist()
    for number, cell in enumerate((cells[:, 0] * width + cells[:, 1]).tolist()):
        if blocked[cell]:
            continue
        kept.append(number)
        if len(kept) == most:
            break
        y, x = divmod(cell, width)
        for start in range(first[y] + x - left[x], last[y], width):
            blocked[start : start + span[x]] = b'\1' * span[x]
    return np.asarray(kept, np.int64)
