"""Pseudo-labels and the losses that learn from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE_INDEX = 255


@dataclass
class PseudoLabels:
    """What a network believes of unlabelled images.

    Attributes:
        labels: ``(N, H, W)`` int64, 255 where there is no image (padding).
        confidence: ``(N, H, W)`` float, largest softmax probability; 0 in the padding.
    """

    labels: Tensor
    confidence: Tensor


@torch.no_grad()
def pseudo_labels(logits: Tensor, valid: Tensor) -> PseudoLabels:
    """Hard labels and confidences of ``(N, K, H, W)`` logits; ``valid`` is ``(N, H, W)`` bool."""
    best, labels = logits.max(dim=1)
    confidence = (best - logits.logsumexp(dim=1)).exp()
    return PseudoLabels(labels.masked_fill(~valid, IGNORE_INDEX), confidence * valid)


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


def cross_pseudo_loss(logits_a: Tensor, logits_b: Tensor, valid: Tensor) -> Tensor:
    """Cross pseudo supervision (Chen et al. 2021; paper equation 3): ``CE(a, b^) + CE(b, a^)``.

    Args:
        logits_a: ``(N, K, H, W)`` of one network.
        logits_b: ``(N, K, H, W)`` of the other on the same images.
        valid: ``(N, H, W)`` bool.

    Returns:
        Tensor: Scalar; the labels carry no gradient.
    """
    labels_a = logits_a.detach().argmax(dim=1).masked_fill(~valid, IGNORE_INDEX)
    labels_b = logits_b.detach().argmax(dim=1).masked_fill(~valid, IGNORE_INDEX)
    return weighted_cross_entropy(logits_a, labels_b) + weighted_cross_entropy(logits_b, labels_a)
