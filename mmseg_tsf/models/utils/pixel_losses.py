"""Losses of labels and probabilities, pixel by pixel."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .labels import IGNORE_INDEX


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` where ``mask`` (same shape, bool) is set; 0 where it nowhere is."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """``sum(w * CE) / sum(w)`` over the pixels that have a label; 0 where none has.

    Args:
        logits: ``(N, K, H, W)``.
        labels: ``(N, H, W)`` int64, 255 = ignore.
        weight: ``(N, H, W)`` non-negative, or ``None`` for 1.

    Returns:
        Tensor: Scalar.
    """
    loss = F.cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, reduction='none')
    valid = (labels != IGNORE_INDEX).to(loss.dtype)
    weight = valid if weight is None else weight * valid
    return (loss * weight).sum() / weight.sum().clamp(min=1e-6)


def cross_entropy_over(valid: Tensor, logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """``sum(w * CE) / N`` with N the number of valid pixels, whether they have a label or not.

    Args:
        valid: ``(N, H, W)`` bool.
        logits: ``(N, K, H, W)``.
        labels: ``(N, H, W)`` int64, 255 = ignore.
        weight: ``(N, H, W)`` non-negative.

    Returns:
        Tensor: Scalar; 0 where no pixel is valid.
    """
    loss = F.cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, reduction='none')
    return (loss * weight * valid).sum() / valid.sum().clamp(min=1)


def consistency_loss(
    logits: Tensor, targets: Tensor, weight: Tensor, sum_classes: bool = False
) -> Tensor:
    """Squared difference of probabilities, a mean over pixels.

    Args:
        logits: ``(N, K, H, W)``.
        targets: ``(N, K, H, W)`` probabilities.
        weight: ``(N, H, W)`` bool, the pixels that count.
        sum_classes: Whether the classes of a pixel are summed; otherwise they are averaged.

    Returns:
        Tensor: Scalar; 0 where no pixel counts.
    """
    squares = (logits.softmax(dim=1) - targets).square()
    return masked_mean(squares.sum(dim=1) if sum_classes else squares.mean(dim=1), weight)
