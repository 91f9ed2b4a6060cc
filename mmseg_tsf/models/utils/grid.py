"""Labels and masks on grids of other sizes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .labels import IGNORE_INDEX


def nearest(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Values at the centres of the cells of another grid, for dense labels and masks.

    Args:
        values: ``(N, H, W)`` of any type.
        size: Height and width of the grid.

    Returns:
        Tensor: ``(N, h, w)``.
    """
    if values.shape[1:] == size:
        return values
    for dim, (old, new) in enumerate(zip(values.shape[1:], size, strict=True), start=1):
        centre = torch.arange(new, device=values.device).mul_(2).add_(1)
        values = values.index_select(dim, centre.mul_(old).div_(2 * new, rounding_mode='floor'))
    return values


def resize_nearest(values: Tensor, size: Sequence[int]) -> Tensor:
    """Dense labels or masks at another size, each by the first value of its cell.

    This is ``nearest`` of torch; :func:`nearest` takes the value at the centre of the cell.

    Args:
        values: ``(N, H, W)`` bool or integers below 2**24.
        size: Height and width.

    Returns:
        Tensor: ``(N, h, w)`` of the same type.
    """
    resized = F.interpolate(values.unsqueeze(1).float(), tuple(size), mode='nearest')
    return resized.squeeze(1).to(values.dtype)


def labels_to_grid(labels: Tensor, size: tuple[int, int], num_classes: int) -> Tensor:
    """Sparse labels on a coarser grid: the most frequent class of the pixels inside each cell.

    Nearest sampling would lose most single labelled pixels. Among equally frequent classes the
    first wins.

    Args:
        labels: ``(N, H, W)`` int64, 255 = no label.
        size: Height and width of the grid.
        num_classes: K.

    Returns:
        Tensor: ``(N, h, w)`` int64, 255 for cells without a labelled pixel.
    """
    if labels.shape[1:] == size:
        return labels
    (height, width), (rows, columns) = labels.shape[1:], size
    row = torch.arange(height, device=labels.device) * rows // height
    column = torch.arange(width, device=labels.device) * columns // width
    cell = (row.unsqueeze(1) * columns + column).flatten()  # (H*W,)
    labels = labels.flatten(1)
    counts = torch.zeros(len(labels), (num_classes + 1) * rows * columns, device=labels.device)
    slot = labels.clamp(max=num_classes) * (rows * columns) + cell  # class K: no label
    counts.scatter_add_(1, slot, torch.ones_like(slot, dtype=counts.dtype))
    counts = counts.view(-1, num_classes + 1, rows, columns)[:, :num_classes]
    most, winner = counts.max(dim=1)
    return winner.masked_fill_(most == 0, IGNORE_INDEX)


def resize_features(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, ``(N, C, H, W)`` to ``(N, C, h, w)``; as it is where the size fits."""
    if tuple(features.shape[2:]) == size:
        return features
    return F.interpolate(features.float(), size, mode='bilinear', align_corners=False)


def thinned(mask: Tensor, max_pixels: int) -> Tensor:
    """About ``max_pixels`` of the set pixels of ``mask`` (bool), evenly spread, without chance."""
    rank = mask.flatten().cumsum(0)
    stride = rank[-1:].div(max_pixels, rounding_mode='floor').clamp(min=1)
    return mask & (rank % stride == 0).view_as(mask)
