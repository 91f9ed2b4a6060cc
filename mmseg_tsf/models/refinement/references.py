"""Which pixels of an image say what its classes look like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..utils.pixel_losses import IGNORE_INDEX

REFERENCES = ('manual', 'reliable+manual', 'by_count')


def reference_labels(
    reliable: Tensor, manual: Tensor, policy: str, num_classes: int, enough_manual: int
) -> Tensor:
    """Labels of the reference pixels; a manual label wins over a pseudo-label.

    Args:
        reliable: ``(N, h, w)`` int64 pseudo-labels outside the error mask, 255 elsewhere.
        manual: ``(N, h, w)`` int64 manual labels, 255 elsewhere.
        policy: ``'manual'``, ``'reliable+manual'``, or ``'by_count'``: a class with
            ``enough_manual`` manual pixels in an image is described by those alone.
        num_classes: K.
        enough_manual: See ``policy``.

    Returns:
        Tensor: ``(N, h, w)`` int64, 255 = no reference pixel.
    """
    if policy == 'manual':
        return manual
    if policy == 'by_count':
        flat = manual.flatten(1).clamp(max=num_classes)
        count = torch.zeros(len(flat), num_classes + 1, device=flat.device)
        count.scatter_add_(1, flat, torch.ones_like(flat, dtype=count.dtype))
        enough = count >= enough_manual
        own = reliable.flatten(1).clamp(max=num_classes)
        reliable = reliable.masked_fill(enough.gather(1, own).view_as(reliable), IGNORE_INDEX)
    return torch.where(manual != IGNORE_INDEX, manual, reliable)


def resize(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, ``(N, C, H, W)`` to ``(N, C, h, w)``; as it is where the size fits."""
    if tuple(features.shape[2:]) == size:
        return features
    return F.interpolate(features.float(), size, mode='bilinear', align_corners=False)


def thinned(mask: Tensor, max_pixels: int) -> Tensor:
    """About ``max_pixels`` of the set pixels of ``mask`` (bool), evenly spread, without chance."""
    rank = mask.flatten().cumsum(0)
    stride = rank[-1:].div(max_pixels, rounding_mode='floor').clamp(min=1)
    return mask & (rank % stride == 0).view_as(mask)
