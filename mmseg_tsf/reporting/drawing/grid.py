"""Pictures of labels, and grids of pictures with the classes below them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

GREY = 0.5
Column = tuple[str, Sequence[np.ndarray]]
"""Title, and ``(H, W, 3)`` colours (uint8, or up to 1) or an ``(H, W)`` heat map for each row."""


def colour(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Class ids of any shape as ``(..., 3)`` uint8 colours; ids without a colour are black."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette
    return table[labels]


def draw_grid(
    columns: list[Column],
    rows: list[str],
    inside: Sequence[np.ndarray],
    metainfo: dict,
    path: Path,
) -> None:
    """Writes a grid of pictures with titles, a scale of the weights and the classes.

    Args:
        columns: Columns from left to right.
        rows: Names of the rows.
        inside: ``(H, W)`` bool for each row; other pixels are grey.
        metainfo: ``classes`` and ``palette`` (colours up to 255) of the data set.
        path: Path of the picture.
    """
    height, width = inside[0].shape
    size = 2.4 * len(columns) + 0.9, 2.3 * height / width * len(rows) + 1.1
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    weights = [value for _, values in columns for value in values if value.ndim == 2]
    largest = max([1.0, *(value.max() for value in weights)])
    heat = None
    for line, (title, values) in zip(axes.T, columns, strict=True):
        line[0].set_title(title, fontsize=8)
        for axis, value, within in zip(line, values, inside, strict=True):
            axis.set(xticks=[], yticks=[])
            if value.ndim == 2:
                value = np.ma.masked_array(value, ~within)
                heat = axis.imshow(value, 'viridis', vmin=0, vmax=largest, interpolation='nearest')
                axis.set_facecolor(str(GREY))
            else:
                grey = GREY if value.dtype.kind == 'f' else np.uint8(255 * GREY)
                axis.imshow(np.where(within[..., None], value, grey), interpolation='nearest')
    for axis, name in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(name, fontsize=6)
    if heat is not None:
        figure.colorbar(heat, ax=axes, fraction=0.02, pad=0.01)
    handles = [
        Patch(color=np.divide(shade, 255), label=name)
        for name, shade in zip(metainfo['classes'], metainfo['palette'], strict=True)
    ]
    below = max(1, round(1.6 * len(columns)))
    figure.legend(handles=handles, loc='outside lower center', ncols=below, fontsize=7)
    figure.savefig(path, dpi=130)
