"""What is read from data samples."""

from __future__ import annotations

import torch
from torch import Tensor


def ground_truth(samples: list) -> Tensor:
    """Ground truth of data samples, ``(N, H, W)`` int64."""
    return torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in samples]).long()


def valid_mask(samples: list, images: Tensor) -> Tensor:
    """``(N, H, W)`` bool, False where the preprocessor padded an image at its right or bottom."""
    sizes = to_device([list(sample.metainfo['img_shape'][:2]) for sample in samples], images)
    rows = torch.arange(images.shape[2], device=images.device)
    columns = torch.arange(images.shape[3], device=images.device)
    in_rows = rows < sizes[:, :1]  # (N, H)
    in_columns = columns < sizes[:, 1:]  # (N, W)
    return in_rows.unsqueeze(2) & in_columns.unsqueeze(1)


def to_device(values: list, like: Tensor) -> Tensor:
    """Integers as a tensor on the device of ``like``; the host does not wait for the copy."""
    tensor = torch.tensor(values)
    if like.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(like.device, non_blocking=True)
