"""Labels: of data samples, of networks, and who gave them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

IGNORE_INDEX = 255
"""Label of pixels that have none."""


class Source(IntEnum):
    """Who says what the label of a pixel is."""

    NETWORK = 0
    MANUAL = 1
    CORRECTED = 2


@dataclass
class PseudoLabels:
    """Labels of unlabelled images.

    Attributes:
        labels: ``(N, H, W)`` int64, 255 where there is none (in the padding).
        confidence: ``(N, H, W)`` float in [0, 1], the probability that the label is right as far
            as its source knows; 0 in the padding.
        source: ``(N, H, W)`` uint8 :class:`Source` of each label; without meaning where the
            label is 255.
    """

    labels: Tensor
    confidence: Tensor
    source: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> PseudoLabels:
        """The same change, such as mixing, of every map."""
        return PseudoLabels(change(self.labels), change(self.confidence), change(self.source))


@torch.no_grad()
def hard_labels(logits: Tensor) -> Tensor:
    """``argmax`` over the classes of ``(N, K, H, W)``, ten times as fast as torch's on a CPU.

    The first of equal classes wins, as in ``argmax``; a pixel of NaN gets class K - 1.

    Returns:
        Tensor: ``(N, H, W)`` int64, without gradient.
    """
    if logits.is_cuda:
        return logits.argmax(dim=1)
    num_classes = logits.shape[1]
    winner = logits == logits.amax(dim=1, keepdim=True)
    countdown = torch.arange(num_classes, 0, -1, device=logits.device, dtype=torch.float32)
    first = (winner * countdown.view(1, -1, 1, 1)).amax(dim=1)
    return (num_classes - first).clamp(max=num_classes - 1).long()


@torch.no_grad()
def pseudo_labels(logits: Tensor, valid: Tensor) -> PseudoLabels:
    """Hard labels and confidences of ``(N, K, H, W)`` logits; ``valid`` is ``(N, H, W)`` bool."""
    confidence = (logits.amax(dim=1) - logits.logsumexp(dim=1)).exp()
    labels = hard_labels(logits).masked_fill(~valid, IGNORE_INDEX)
    source = torch.full_like(labels, Source.NETWORK, dtype=torch.uint8)
    return PseudoLabels(labels, confidence * valid, source)


@torch.no_grad()
def with_manual(pseudo: PseudoLabels, manual: Tensor) -> PseudoLabels:
    """Manual labels ``(N, H, W)`` int64 (255 = none) in the place of pseudo-labels."""
    given = manual != IGNORE_INDEX
    return PseudoLabels(
        torch.where(given, manual, pseudo.labels),
        pseudo.confidence.masked_fill(given, 1.0),
        pseudo.source.masked_fill(given, Source.MANUAL),
    )


def label_weight(pseudo: PseudoLabels, gamma: float = 0.0, threshold: float = 0.0) -> Tensor:
    """What a pseudo-label counts: its confidence to the power ``gamma``, from ``threshold`` on.

    Returns:
        Tensor: ``(N, H, W)`` float, non-negative.
    """
    weight = (pseudo.confidence >= threshold).to(pseudo.confidence.dtype)
    return weight * pseudo.confidence**gamma if gamma else weight


def ground_truth(samples: list) -> Tensor:
    """Ground truth of data samples, ``(N, H, W)`` int64."""
    return torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in samples]).long()


def valid_mask(samples: list, images: Tensor) -> Tensor:
    """``(N, H, W)`` bool, False where there is no image.

    That is where the preprocessor padded it at its right or bottom, and where a data sample has
    ``outside`` set, ``(1, h, w)`` bool: beside an image that a transform has turned, for instance.
    """
    sizes = to_device([list(sample.metainfo['img_shape'][:2]) for sample in samples], images)
    rows = torch.arange(images.shape[2], device=images.device)
    columns = torch.arange(images.shape[3], device=images.device)
    in_rows = rows < sizes[:, :1]  # (N, H)
    in_columns = columns < sizes[:, 1:]  # (N, W)
    valid = in_rows.unsqueeze(2) & in_columns.unsqueeze(1)
    for image, sample in enumerate(samples):
        if 'outside' in sample:
            outside = sample.outside.data[0]
            valid[image, : outside.shape[0], : outside.shape[1]] &= ~outside
    return valid


def to_device(values: list, like: Tensor) -> Tensor:
    """Integers as a tensor on the device of ``like``; the host does not wait for the copy."""
    tensor = torch.tensor(values)
    if like.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(like.device, non_blocking=True)
