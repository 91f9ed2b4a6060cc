"""Exponential moving average of one network into another."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def ema_update(
    target: nn.Module, source: nn.Module, decay: float, average_buffers: bool = True
) -> None:
    """``target = decay * target + (1 - decay) * source``, in one fused update.

    The tensors are looked up at every call, so a model that was moved to another device since
    is averaged all the same. ``decay=0`` copies exactly.

    Args:
        target: The averaged network (teacher).
        source: The network that learns (student), of the same architecture.
        decay: Weight of the past, in [0, 1).
        average_buffers: Average floating-point buffers too and copy the others (counters).
            ``False`` leaves the target's buffers alone (AEL's teacher keeps BN statistics of its
            own).
    """
    pairs = list(zip(target.parameters(), source.parameters(), strict=True))
    if average_buffers:
        for mine, theirs in zip(target.buffers(), source.buffers(), strict=True):
            if mine.is_floating_point():
                pairs.append((mine, theirs))
            else:
                mine.copy_(theirs)
    if pairs:
        mine, theirs = zip(*pairs, strict=True)
        torch._foreach_lerp_(list(mine), list(theirs), 1 - decay)
