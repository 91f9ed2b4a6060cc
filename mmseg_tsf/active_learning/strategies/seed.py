"""The first round: a few true labels in every image, for PLAR to live off."""

from __future__ import annotations

import torch
from torch import Tensor

from ...utils.seeding import hashed
from ..pool.outputs import NEVER, PoolOutputs
from ..registry import QUERY_STRATEGIES
from .base import QueryStrategy, check_threshold


@QUERY_STRATEGIES.register_module()
class SeedQuery(QueryStrategy):
    """Spreads a round over all images and, inside each error mask, over classes and space.

    The cells of a mask are ranked: the predicted classes take turns, the one with most cells
    first, and the cells of a class come in a low-discrepancy order. The score is minus the rank,
    so the best of the whole pool are the first cells of all images, then their second ones, ...

    Args:
        threshold: Where the model has no refinement, cells below this confidence are the error
            mask; in (0, 1).

    Raises:
        UserError: It is not.
    """

    needs = ('flagged',)
    ranks = True

    def __init__(self, threshold: float = 0.7) -> None:
        self.threshold = check_threshold('SeedQuery.threshold', threshold)

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        flagged = outputs.flagged
        if flagged is None:
            flagged = outputs.confidence < self.threshold
            if outputs.valid is not None:
                flagged = flagged & outputs.valid
        offsets = hashed(outputs.seed, outputs.keys.numpy())
        spread = spread_order(flagged.shape[1:], offsets.view('int64')).to(flagged.device)
        rank = ranks_in_turn(outputs.predicted, flagged, spread, outputs.logits.shape[1])
        return (-rank.float()).masked_fill(~flagged, NEVER)


def spread_order(size: tuple[int, int], offsets) -> Tensor:
    """Low-discrepancy order of the cells of a grid: Bayer's matrix (1973) of the next power of 2.

    Any first few cells of it, also of those inside a mask, are spread over the grid.

    Args:
        size: Height and width of the grid.
        offsets: ``(N,)`` int64 random bits that shift the matrix, so that images differ.

    Returns:
        Tensor: ``(N, h, w)`` int64, different numbers in an image.
    """
    bits = max(1, (max(size) - 1).bit_length())
    offsets = torch.from_numpy(offsets).view(-1, 1, 1)
    side = 1 << bits
    row = ((offsets & 0xFFFF) + torch.arange(size[0]).view(1, -1, 1)) % side
    column = (((offsets >> 16) & 0xFFFF) + torch.arange(size[1]).view(1, 1, -1)) % side
    order = torch.zeros(len(offsets), *size, dtype=torch.int64)
    for bit in range(bits):  # the finest bit of the position counts most
        digit = 2 * (((row ^ column) >> bit) & 1) + ((row >> bit) & 1)
        order = order * 4 + digit
    return order


def ranks_in_turn(classes: Tensor, mask: Tensor, order: Tensor, num_classes: int) -> Tensor:
    """Ranks the cells of a mask so that the classes take turns.

    Args:
        classes: ``(N, h, w)`` int64 in [0, K).
        mask: ``(N, h, w)`` bool.
        order: ``(N, h, w)`` int64, different numbers below ``2**40``: who comes first in a class.
        num_classes: K.

    Returns:
        Tensor: ``(N, h, w)`` int64 ranks from 0; those outside the mask come last.
    """
    own = classes.masked_fill(~mask, num_classes).flatten(1)  # (N, h*w)
    count = torch.zeros(len(own), num_classes + 1, dtype=torch.int64, device=own.device)
    count.scatter_add_(1, own, torch.ones_like(own))
    # turn within the class: the place among the cells sorted by class, from the class's start
    by_class = (own * (1 << 40) + order.flatten(1)).argsort(dim=1)
    start = count.cumsum(dim=1) - count
    place = torch.arange(own.shape[1], device=own.device).expand_as(own)
    turn = torch.empty_like(own)
    turn.scatter_(1, by_class, place - start.gather(1, own.gather(1, by_class)))
    # within a turn the larger class comes first, outside the mask all come last
    larger = count[:, :num_classes].argsort(dim=1, descending=True, stable=True)
    position = torch.full_like(count, own.shape[1] * (num_classes + 1))
    position.scatter_(1, larger, torch.arange(num_classes, device=own.device).expand_as(larger))
    in_turn = (turn * num_classes + position.gather(1, own)).argsort(dim=1)
    return torch.empty_like(own).scatter_(1, in_turn, place.contiguous()).view_as(classes)
