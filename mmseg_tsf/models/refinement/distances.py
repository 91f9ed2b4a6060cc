"""Distances of single pixels to the classes of their image (paper, equations 6 to 9)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .class_statistics import ClassStatistics


@dataclass
class PixelIndex:
    """Pixels of a batch in row-major order.

    Attributes:
        image: ``(M,)`` int64, which image.
        position: ``(M,)`` int64, flat position in the image.
        counts: Pixels per image, on the host.
    """

    image: Tensor
    position: Tensor
    counts: list[int]

    @classmethod
    def of(cls, mask: Tensor) -> PixelIndex:
        """The pixels where ``mask`` ``(N, H, W)`` bool is set; the host waits for their number."""
        flat = mask.flatten(1)
        image, position = flat.nonzero(as_tuple=True)
        return cls(image, position, flat.sum(dim=1).tolist())


def euclidean_distances(features: Tensor, statistics: ClassStatistics, mask: Tensor) -> Tensor:
    """``d_E = sqrt(mean_i (v_i - mu_i)^2)`` (paper, equation 6).

    Args:
        features: ``(N, C, H, W)``.
        statistics: Class statistics of the same images.
        mask: ``(N, H, W)`` bool, the M pixels.

    Returns:
        Tensor: ``(M, K)`` float32 in the order of ``mask.nonzero()``; ``inf`` for classes that are
        no candidates.
    """
    return pixel_distances(features, statistics, PixelIndex.of(mask), mahalanobis=False)[0]


def mahalanobis_distances(features: Tensor, statistics: ClassStatistics, mask: Tensor) -> Tensor:
    """``d_M = sqrt((v - mu)^T Sigma^-1 (v - mu) / C)`` (paper, equation 8, divided by sqrt(C)).

    Args:
        features: ``(N, C, H, W)``.
        statistics: Class statistics of the same images.
        mask: ``(N, H, W)`` bool, the M pixels.

    Returns:
        Tensor: ``(M, K)`` float32 in the order of ``mask.nonzero()``; ``inf`` for classes that are
        no candidates.
    """
    return pixel_distances(features, statistics, PixelIndex.of(mask), euclidean=False)[1]


@torch.no_grad()
def pixel_distances(
    features: Tensor,
    statistics: ClassStatistics,
    pixels: PixelIndex,
    euclidean: bool = True,
    mahalanobis: bool = True,
) -> tuple[Tensor | None, Tensor | None]:
    """Both distances of some pixels, which share their centred features.

    Args:
        features: ``(N, C, H, W)``.
        statistics: Class statistics of the same images.
        pixels: The M pixels.
        euclidean: Whether to compute the first result; it is ``None`` otherwise.
        mahalanobis: Whether to compute the second one.

    Returns:
        tuple[Tensor | None, Tensor | None]: ``(M, K)`` float32 each; ``inf`` for classes that are
        no candidates.
    """
    shape = (statistics.mean.shape[1], sum(pixels.counts))  # class by class: rows are written
    inf = float('inf')
    first = torch.full(shape, inf, device=features.device) if euclidean else None
    second = torch.full(shape, inf, device=features.device) if mahalanobis else None
    start = 0
    with torch.autocast(features.device.type, enabled=False):
        for i, count in enumerate(pixels.counts):
            own = slice(start, start + count)
            start += count
            if count and statistics.candidates[i]:
                vectors = features[i].flatten(1).index_select(1, pixels.position[own]).float()
                _image_distances(
                    vectors,
                    statistics,
                    i,
                    first[:, own] if euclidean else None,
                    second[:, own] if mahalanobis else None,
                )
    channels = features.shape[1]
    return tuple(d if d is None else d.div_(channels).sqrt_().t() for d in (first, second))


def _image_distances(
    vectors: Tensor,
    statistics: ClassStatistics,
    image: int,
    first: Tensor | None,
    second: Tensor | None,
) -> None:
    """Squared distances of ``(C, M)`` vectors of one image, into rows of ``(K, M)`` outputs.

    Whitening by the inverse of the small triangular factor and a product per class is faster than
    a triangular solve of all pixels; one class at a time keeps the memory at a few copies of the
    pixels. The mean is subtracted first: subtracting whitened vectors would cancel.
    """
    classes = statistics.candidates[image]
    means = statistics.mean[image, classes].t()  # (C, V)
    if second is not None:
        whitening = whitening_matrices(statistics.factor[image, classes])
        whitened = torch.empty_like(vectors)
    centred = torch.empty_like(vectors)
    for v, k in enumerate(classes):
        torch.sub(vectors, means[:, v, None], out=centred)
        if second is not None:
            _lower_triangular_product(whitening[v], centred, whitened)
            torch.sum(whitened.square_(), dim=0, out=second[k])
        if first is not None:
            torch.sum(centred.square_(), dim=0, out=first[k])


def whitening_matrices(factor: Tensor) -> Tensor:
    """``L^-1`` of lower factors ``(V, C, C)``, by a triangular solve."""
    eye = torch.eye(factor.shape[-1], device=factor.device)
    return torch.linalg.solve_triangular(factor, eye.expand_as(factor), upper=False)


def _lower_triangular_product(lower: Tensor, vectors: Tensor, out: Tensor) -> None:
    """``lower @ vectors`` without the quarter of the products that are with zeros."""
    half = len(lower) // 2
    torch.mm(lower[:half, :half], vectors[:half], out=out[:half])
    torch.mm(lower[half:], vectors, out=out[half:])


def hybrid_distances(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """``weight * first + (1 - weight) * second`` over the two maps (paper, equations 7 and 9).

    Args:
        first: ``(M, K)`` distances on the first map; ``inf`` = no candidate.
        second: ``(M, K)`` on the second one.
        weight: ``(M, 1)`` or scalar, in [0, 1].

    Returns:
        Tensor: ``(M, K)``; ``inf`` where either is, without a NaN in the gradient of ``weight``.
    """
    absent = first.isinf() | second.isinf()
    first, second = first.masked_fill(absent, 0), second.masked_fill(absent, 0)
    return (weight * first + (1 - weight) * second).masked_fill(absent, float('inf'))
