"""Logits and labels as every method reads them."""

from __future__ import annotations

import torch
from torch import Tensor


def as_class_logits(logits: Tensor) -> Tensor:
    """A single sigmoid channel ``(N, 1, h, w)`` as logits of two classes; others as they are."""
    if logits.shape[1] > 1:
        return logits
    return torch.cat((torch.zeros_like(logits), logits), dim=1)


def ground_truth(samples: list) -> Tensor:
    """Ground truth of data samples, ``(N, H, W)`` int64."""
    return torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in samples]).long()
