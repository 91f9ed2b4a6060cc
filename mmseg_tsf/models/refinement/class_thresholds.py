"""How sure a network has to be of each class, told by its own mistakes on labelled images."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from ...utils.errors import UserError
from ..utils.pixel_losses import IGNORE_INDEX

NUM_BINS = 256


class ClassThresholds(nn.Module):
    """The confidence from which on labels of a class are right as often as is asked for.

    A network may be right of road at 0.3 and wrong of poles at 0.9, so one threshold for all
    classes flags what needs no look and passes what does. Labels and right labels of labelled
    images are counted by class and confidence; the past fades.

    Args:
        num_classes: K.
        min_precision: Share of the labels above a threshold that are to be right, in (0, 1).
        momentum: Weight of the past at each update, in [0, 1).
        fallback: Threshold of a class that no label had so far.

    Raises:
        UserError: A share out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        min_precision: float,
        momentum: float = 0.99,
        fallback: float = 0.7,
    ) -> None:
        super().__init__()
        if not 0 < min_precision < 1:
            raise UserError(f'refinement.min_precision={min_precision} must lie in (0, 1)')
        if not 0 <= momentum < 1:
            raise UserError(f'momentum={momentum} of class thresholds must lie in [0, 1)')
        self.min_precision, self.momentum, self.fallback = min_precision, momentum, fallback
        # labels, and those that are right
        self.register_buffer('counts', torch.zeros(2, num_classes, NUM_BINS))

    @torch.no_grad()
    def update(self, labels: Tensor, confidence: Tensor, ground_truth: Tensor) -> None:
        """Counts the labels of labelled images; every rank must call it, or none.

        Args:
            labels: ``(N, H, W)`` int64 of the network.
            confidence: ``(N, H, W)``, its largest probability.
            ground_truth: ``(N, H, W)`` int64, 255 = ignore.
        """
        known = (ground_truth != IGNORE_INDEX).flatten().float()
        place = (confidence * NUM_BINS).long().clamp(max=NUM_BINS - 1)
        slot = (labels * NUM_BINS + place).flatten()
        right = (labels == ground_truth).flatten().float()
        found = torch.zeros_like(self.counts).flatten(1)
        found[0].scatter_add_(0, slot, known)
        found[1].scatter_add_(0, slot, known * right)
        all_reduce(found)
        self.counts.mul_(self.momentum).add_(found.view_as(self.counts))

    def thresholds(self) -> Tensor:
        """``(K,)`` confidences; 2 for a class whose surest labels are wrong too often."""
        total, right = self.counts.flip(-1).cumsum(-1).flip(-1)  # from each confidence on
        good = (right >= self.min_precision * total) & (total > 0)
        edges = torch.arange(NUM_BINS, device=good.device) / NUM_BINS
        least = torch.where(good, edges, 2.0).amin(dim=1)
        return torch.where(total[:, 0] > 0, least, self.fallback)

    def forward(self, labels: Tensor, confidence: Tensor) -> Tensor:
        """``(N, H, W)`` bool, labels that are less sure than their class has to be."""
        return confidence < self.thresholds()[labels]
