"""AEL's adaptive copy-paste (Hu et al. 2021, section 3.3) for labelled images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def draw_paste_classes(confidence: Tensor, num: int = 3, exclude: Sequence[int] = ()) -> Tensor:
    """Draws classes by ``softmax(sqrt(1 - confidence))``, with replacement.

    Args:
        confidence: ``(K,)`` class confidences in [0, 1].
        num: Number of draws; classes drawn twice count once when pasting.
        exclude: Classes never pasted (AEL leaves out the large "stuff" classes).

    Returns:
        Tensor: ``(num,)`` int64 on the device of ``confidence``.
    """
    log_weight = (1.0 - confidence).clamp(min=0).sqrt()
    if exclude:
        barred = torch.zeros(len(confidence), dtype=torch.bool)
        barred[list(exclude)] = True
        barred = barred.to(confidence.device, non_blocking=True)
        log_weight = log_weight.masked_fill(barred, float('-inf'))
    # Gumbel's trick: a draw from the softmax without reading anything back to the host
    uniform = torch.rand(num, len(confidence), device=confidence.device).clamp(min=1e-12)
    return (log_weight - (-uniform.log()).log()).argmax(dim=1)


def copy_paste(
    images: Tensor, labels: Tensor, source_images: Tensor, source_labels: Tensor, classes: Tensor
) -> tuple[Tensor, Tensor]:
    """Pastes all pixels of some classes in place, image and label by one mask.

    Args:
        images: ``(N, 3, H, W)``.
        labels: ``(N, H, W)`` int64, 255 = ignore.
        source_images: ``(N, 3, H, W)``.
        source_labels: ``(N, H, W)``; an image that gives nothing is all 255.
        classes: ``(M,)`` classes to paste.

    Returns:
        tuple[Tensor, Tensor]: Images and labels after pasting.
    """
    wanted = torch.zeros(256, dtype=torch.bool, device=labels.device)
    wanted = wanted.index_fill(0, classes, True)
    mask = wanted[source_labels]
    images = torch.where(mask.unsqueeze(1), source_images, images)
    return images, torch.where(mask, source_labels, labels)
