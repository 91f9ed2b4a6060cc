"""Manual labels drawn from hidden ground truth, to measure what they would bring."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.utils.labels import IGNORE_INDEX


def draw_cells(flagged: Tensor, num: int, layout: str, generator: torch.Generator) -> Tensor:
    """``(h, w)`` bool: the cells that are asked for, inside the error mask.

    Args:
        flagged: ``(h, w)`` bool error mask on the feature grid.
        num: Number of cells.
        layout: ``'pixels'`` or ``'blocks'`` (4x4 cells, cut where they leave the mask).
        generator: Source of randomness.
    """
    asked = torch.zeros_like(flagged)
    order = flagged.flatten().nonzero().squeeze(1).cpu()
    order = order[torch.randperm(len(order), generator=generator)]
    if layout == 'pixels':
        asked.view(-1)[order[:num].to(asked.device)] = True
        return asked
    width = flagged.shape[1]
    for cell in order.tolist():
        left = num - int(asked.sum())
        if left <= 0:
            break
        row, column = cell // width // 4 * 4, cell % width // 4 * 4
        block = torch.zeros_like(flagged)
        block[row : row + 4, column : column + 4] = True
        new = (block & flagged & ~asked).flatten().nonzero().squeeze(1)[:left]
        asked.view(-1)[new] = True
    return asked


def answer_cells(asked: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Labels of the native pixels in the middle of the cells, and the pixels of these cells.

    Args:
        asked: ``(h, w)`` bool cells.
        truth: ``(H, W)`` int64.

    Returns:
        tuple[Tensor, Tensor]: ``(H, W)`` int64 manual labels, 255 elsewhere, and bool.
    """
    height, width = truth.shape
    rows, columns = asked.nonzero().unbind(dim=1)
    y = ((rows + 0.5) * height / asked.shape[0]).long()
    x = ((columns + 0.5) * width / asked.shape[1]).long()
    manual = torch.full_like(truth, IGNORE_INDEX)
    manual[y, x] = truth[y, x]
    cells = F.interpolate(asked[None, None].float(), truth.shape, mode='nearest')[0, 0] > 0
    return manual, cells
