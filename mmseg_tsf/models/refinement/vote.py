"""The paper's rule: the distances of a pixel to the classes of its image, weighted, vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..utils.grid import nearest
from .class_statistics import ClassStatistics
from .decisions import Decision, best_two
from .distances import PixelIndex, hybrid_distances, pixel_distances


@dataclass
class Evidence:
    """Distances of M pixels to the classes on each of the two maps, ``(M, K)`` each.

    Attributes:
        euclidean: Euclidean distances.
        mahalanobis: Mahalanobis distances; ``inf`` = no candidate.
    """

    euclidean: list[Tensor]
    mahalanobis: list[Tensor]


def gather_evidence(
    maps: list[Tensor], statistics: list[ClassStatistics], pixels: PixelIndex
) -> Evidence:
    """Distances of the pixels on every map.

    Args:
        maps: ``(N, C_j, h, w)`` each.
        statistics: One per map.
        pixels: The M pixels.
    """
    evidence = Evidence([], [])
    for features, own in zip(maps, statistics, strict=True):
        first, second = pixel_distances(features, own, pixels)
        evidence.euclidean.append(first)
        evidence.mahalanobis.append(second)
    return evidence


def vote(evidence: Evidence, weights: Tensor) -> Decision:
    """The paper's rule: decided where both hybrid distances have the same nearest class.

    The margin is the gap of the geometric mean of the two distances: where they want different
    classes, it is the smaller the more they contradict each other.

    Args:
        evidence: Distances of M pixels.
        weights: ``(M, 2)`` lambda_E and lambda_M of each pixel's image.
    """
    first = hybrid_distances(*evidence.euclidean, weights[:, :1])
    second = hybrid_distances(*evidence.mahalanobis, weights[:, 1:])
    classes = second.argmin(dim=1)
    tiny = torch.finfo(second.dtype).tiny
    joint = (first.clamp(min=tiny).log() + second.clamp(min=tiny).log()) / 2
    best, runner_up = best_two(-joint)
    margin = 1 - (runner_up - best).exp()
    return Decision(classes, first.argmin(dim=1) == classes, margin)


class WeightModule(nn.Module):
    """``(lambda_E, lambda_M)`` of every image from its globally averaged features.

    The paper's figure of it is lost; this is a perceptron of two layers with a sigmoid. It starts
    at exactly 0.5, where both maps count alike.

    Args:
        in_channels: Channels of each map.
        hidden: Width of the hidden layer.
    """

    def __init__(self, in_channels: Sequence[int], hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(sum(in_channels), hidden), nn.ReLU(), nn.Linear(hidden, 2)
        )
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, features: Sequence[Tensor], valid: Tensor | None = None) -> Tensor:
        """Weights of the first map.

        Args:
            features: ``(N, C_j, h_j, w_j)`` each.
            valid: ``(N, H, W)`` bool, of any size; not set in the padding, which does not count.

        Returns:
            Tensor: ``(N, 2)`` float32 in (0, 1): for Euclidean and Mahalanobis distances.
        """
        with torch.autocast(features[0].device.type, enabled=False):
            pooled = torch.cat([_average(f.float(), valid) for f in features], dim=1)
            return self.layers(pooled).sigmoid()


def _average(features: Tensor, valid: Tensor | None) -> Tensor:
    """``(N, C)`` means over the pixels of each image."""
    if valid is None:
        return features.mean(dim=(2, 3))
    inside = nearest(valid, tuple(features.shape[2:])).unsqueeze(1).float()
    return (features * inside).sum(dim=(2, 3)) / inside.sum(dim=(2, 3)).clamp(min=1)


def weight_loss(
    weights: Tensor,
    euclidean: Sequence[Tensor],
    mahalanobis: Sequence[Tensor],
    labels: Tensor,
) -> Tensor:
    """Cross entropy of ``softmax(-D_E)`` and of ``softmax(-D_M)`` against the ground truth.

    Args:
        weights: ``(M, 2)`` the weights of each pixel's image, with gradient.
        euclidean: ``(M, K)`` on either map; ``inf`` = no candidate.
        mahalanobis: The same.
        labels: ``(M,)`` int64 true classes. Pixels of a class that is no candidate, or of none
            (255), do not count.

    Returns:
        Tensor: Scalar, the sum of the two mean cross entropies; 0, with a gradient of 0, where no
        pixel counts.
    """
    candidate = euclidean[0].isfinite()
    target = labels.clamp(max=candidate.shape[1] - 1)
    counts = candidate.gather(1, target.unsqueeze(1)).squeeze(1) & (labels == target)
    target = torch.where(counts, target, -1)
    total = weights.sum() * 0
    for column, pair in enumerate((euclidean, mahalanobis)):
        hybrid = hybrid_distances(*(d.detach() for d in pair), weights[:, column, None])
        loss = F.cross_entropy(-hybrid, target, ignore_index=-1, reduction='none')
        # an image without candidates has a softmax over nothing: no number, and no part in it
        total = total + torch.where(counts, loss, 0).sum() / counts.sum().clamp(min=1)
    return total
