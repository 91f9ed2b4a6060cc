"""How the distances of a pixel become a class, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .class_statistics import ClassStatistics
from .distances import PixelIndex, hybrid_distances, pixel_distances

RULES = ('kriging', 'vote', 'gaussian', 'fused')


@dataclass
class Evidence:
    """What is known of M pixels on each of the two maps, ``(M, K)`` each.

    Attributes:
        euclidean: Distances, ``None`` where the rule does not ask for them.
        mahalanobis: Distances; ``inf`` = no candidate.
        log_det: Logarithms of the determinants of the classes' covariances.
        channels: C of either map.
    """

    euclidean: list[Tensor | None]
    mahalanobis: list[Tensor]
    log_det: list[Tensor]
    channels: list[int]


@dataclass
class Decision:
    """What a rule says of M pixels.

    Attributes:
        classes: ``(M,)`` int64 best class.
        decided: ``(M,)`` bool, whether it may replace the pseudo-label.
        margin: ``(M,)`` float32 in [0, 1], relative gap between the best and the second class.
        confidence: ``(M,)`` float32 in [0, 1], how likely the best class is right; ``None`` where
            the rule has no posterior.
        change: ``(N, K, h, w)`` float32, what the rule adds to the network's probabilities at the
            M pixels and at the manual ones; ``None`` where it does not work so.
    """

    classes: Tensor
    decided: Tensor
    margin: Tensor
    confidence: Tensor | None = None
    change: Tensor | None = None


def gather_evidence(
    maps: list[Tensor], statistics: list[ClassStatistics], pixels: PixelIndex, euclidean: bool
) -> Evidence:
    """Distances of the pixels on every map.

    Args:
        maps: ``(N, C_j, h, w)`` each.
        statistics: One per map.
        pixels: The M pixels.
        euclidean: Whether Euclidean distances are wanted.
    """
    evidence = Evidence([], [], [], [features.shape[1] for features in maps])
    for features, own in zip(maps, statistics, strict=True):
        first, second = pixel_distances(features, own, pixels, euclidean=euclidean)
        evidence.euclidean.append(first)
        evidence.mahalanobis.append(second)
        evidence.log_det.append(own.log_det[pixels.image])
    return evidence


def vote(evidence: Evidence, weights: Tensor) -> tuple[Decision, Tensor]:
    """The paper's rule: decided where both hybrid distances have the same nearest class.

    The margin is the gap of the geometric mean of the two distances: where they want different
    classes, it is the smaller the more they contradict each other.

    Args:
        evidence: Of M pixels.
        weights: ``(M, 2)`` lambda_E and lambda_M of each pixel's image.

    Returns:
        tuple[Decision, Tensor]: And the hybrid Mahalanobis distances ``(M, K)``.
    """
    first = hybrid_distances(*evidence.euclidean, weights[:, :1])
    second = hybrid_distances(*evidence.mahalanobis, weights[:, 1:])
    classes = second.argmin(dim=1)
    tiny = torch.finfo(second.dtype).tiny
    joint = (first.clamp(min=tiny).log() + second.clamp(min=tiny).log()) / 2
    best, runner_up = best_two(-joint)
    margin = 1 - (runner_up - best).exp()
    return Decision(classes, first.argmin(dim=1) == classes, margin), second


def gaussian(
    evidence: Evidence, weights: Tensor, prior: Tensor, temperature: float, probs: Tensor | None
) -> tuple[Decision, Tensor]:
    """Gaussian discriminant ``g_k = C d_M^2 + log|Sigma| - 2 log prior``, decided everywhere.

    Bare distances favour wide classes; the determinant takes that back. The discriminants of the
    maps are mixed by lambda_M. The posterior is ``softmax(-g / (2 temperature))``, times the
    network's own probabilities for the fused rule.

    Args:
        evidence: Of M pixels.
        weights: ``(M, 2)`` as in :func:`vote`.
        prior: ``(M, K)`` class shares, positive.
        temperature: Above 1 where the channels repeat each other, so that the sum over them
            overstates what is known.
        probs: ``(M, K)`` of the network, for the fused rule.

    Returns:
        tuple[Decision, Tensor]: And the hybrid Mahalanobis distances ``(M, K)``.
    """
    weight = weights[:, 1:]
    parts = zip(evidence.mahalanobis, evidence.log_det, evidence.channels, strict=True)
    discriminants = [distance.square() * c + log_det for distance, log_det, c in parts]
    discriminant = hybrid_distances(*discriminants, weight) - 2 * prior.log()
    score = -discriminant / (2 * temperature)
    if probs is not None:
        score = score + probs.clamp(min=torch.finfo(probs.dtype).tiny).log()
    best, runner_up = best_two(score.softmax(dim=1))
    classes = score.argmax(dim=1)
    decided = torch.ones_like(classes, dtype=torch.bool)
    decision = Decision(classes, decided, best - runner_up, best)
    return decision, hybrid_distances(*evidence.mahalanobis, weight)


def class_prior(statistics: ClassStatistics) -> Tensor:
    """``(N, K)`` share of each candidate in its image's reference pixels, plus one for each.

    Classes that are no candidates get 1 (their logarithm is 0 beside an infinite distance).
    """
    count = (statistics.count + 1) * statistics.valid
    prior = count / count.sum(dim=1, keepdim=True).clamp(min=1)
    return prior.masked_fill(~statistics.valid, 1)


def best_two(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Largest and second largest value in each row of ``(M, K)``, ``(M,)`` each."""
    best, index = scores.max(dim=1, keepdim=True)
    others = scores.scatter(1, index, float('-inf'))
    return best.squeeze(1), others.amax(dim=1)
