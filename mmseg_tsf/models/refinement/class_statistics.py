"""Mean and shrunk covariance of every class of every image, from the pixels that are labelled.

A class has often fewer pixels than the features have channels, so its covariance is shrunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...utils.errors import UserError
from .shrinkage import cholesky, shrink_


@dataclass
class ClassStatistics:
    """Gaussians of the classes of a batch of images.

    A class that is no candidate (``valid`` not set) has mean 0 and the identity as its factor.

    Attributes:
        mean: ``(N, K, C)`` float32.
        factor: ``(N, K, C, C)`` float32, lower Cholesky factor of the shrunk covariance.
        count: ``(N, K)`` float32, reference pixels of the class.
        valid: ``(N, K)`` bool, whether the class is a candidate.
        candidates: Per image, the classes where ``valid`` is set, on the host; read from
            ``valid`` where it is not given.
    """

    mean: Tensor
    factor: Tensor
    count: Tensor
    valid: Tensor
    candidates: list[list[int]] | None = None

    def __post_init__(self) -> None:
        if self.candidates is None:
            rows = self.valid.tolist()
            self.candidates = [[k for k, own in enumerate(row) if own] for row in rows]


def check_statistics_options(min_pixels: int, shrinkage: str | float) -> None:
    """Checks options of :func:`class_statistics`.

    Raises:
        UserError: ``min_pixels`` is below 2, or the shrinkage is unknown.
    """
    if min_pixels < 2 or min_pixels != int(min_pixels):
        raise UserError(
            f'min_pixels must be at least 2 (one pixel has no spread) and whole, not {min_pixels}'
        )
    is_share = isinstance(shrinkage, int | float) and 0 < shrinkage <= 1
    if shrinkage != 'ledoit_wolf' and not is_share:
        raise UserError(f'shrinkage must be ledoit_wolf or a number in (0, 1], not {shrinkage!r}')


class SortedLabels(NamedTuple):
    """Reference pixels of a batch, class by class; made once for several feature maps.

    Attributes:
        order: ``(N, H*W)`` int64 positions, sorted by label.
        count: ``(N, K)`` float32 pixels of each class.
        sizes: ``count`` as whole numbers, on the host.
    """

    order: Tensor
    count: Tensor
    sizes: list[list[int]]


@torch.no_grad()
def class_statistics(
    features: Tensor,
    labels: Tensor | SortedLabels,
    num_classes: int,
    min_pixels: int = 8,
    shrinkage: str | float = 'ledoit_wolf',
) -> ClassStatistics:
    """Mean and shrunk covariance per image and class, in float32 even under autocast.

    ``Sigma = (1 - s) S + max(s tr(S) / C, floor) I`` with the empirical covariance ``S`` (divided
    by the number of pixels) and scikit-learn's ``s``. The floor, a small share of the features'
    variance, matters for classes that hardly vary: their distances stay finite. The pixels are
    sorted by label once, so that each class is one block and one matrix product; the host reads
    the counts, once.

    Args:
        features: ``(N, C, H, W)``.
        labels: ``(N, H, W)`` int64, 255 = no reference pixel; or :func:`sort_by_label` of them.
        num_classes: K.
        min_pixels: Classes with fewer pixels are no candidates.
        shrinkage: ``'ledoit_wolf'`` or ``s`` itself.

    Raises:
        UserError: ``min_pixels`` is below 2, or the shrinkage is unknown.
    """
    check_statistics_options(min_pixels, shrinkage)
    num_images, channels = features.shape[:2]
    with torch.autocast(features.device.type, enabled=False):
        if isinstance(labels, Tensor):
            labels = sort_by_label(labels, num_classes)
        order, count, sizes = labels
        candidates = [[k for k, n in enumerate(row) if n >= min_pixels] for row in sizes]
        pairs = [(i, k) for i, own in enumerate(candidates) for k in own]
        index = torch.tensor(pairs, dtype=torch.int64).view(-1, 2).to(features.device)
        index = index.unbind(dim=1)
        mean = features.new_zeros((num_images, num_classes, channels), dtype=torch.float32)
        factor = torch.eye(channels, device=features.device).repeat(num_images, num_classes, 1, 1)
        valid = torch.zeros_like(count, dtype=torch.bool)
        if pairs:
            moments = [
                block_moments(features[i], order[i], sizes[i], own)
                for i, own in enumerate(candidates)
                if own
            ]
            means, covariances, quartic = map(torch.cat, zip(*moments, strict=True))
            mean[index], valid[index] = means, True
            number = count[index]
            variance = total_variance(mean, covariances, count * valid, index)
            shrink_(covariances, number, shrinkage, variance[index[0]], quartic)
            factor[index] = cholesky(covariances)
    return ClassStatistics(mean, factor, count, valid, candidates)


def sort_by_label(labels: Tensor, num_classes: int) -> SortedLabels:
    """Positions of the pixels of each image, class by class; the host waits for the counts.

    Args:
        labels: ``(N, H, W)`` int64; K or more = unlabelled, sorted behind the others.
        num_classes: K.
    """
    key = labels.flatten(1).clamp(max=num_classes)
    count = torch.zeros(len(key), num_classes + 1, device=labels.device)
    count.scatter_add_(1, key, torch.ones_like(key, dtype=count.dtype))
    order = key.to(torch.uint8).sort(dim=1, stable=True).indices
    count = count[:, :num_classes]
    return SortedLabels(order, count, count.long().tolist())


def block_moments(
    features: Tensor, order: Tensor, sizes: list[int], classes: list[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Moments of some classes of one image.

    Args:
        features: ``(C, H, W)``.
        order: ``(H*W,)`` positions sorted by label.
        sizes: Pixels per class, all K of them.
        classes: The V classes wanted.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Means ``(V, C)``, covariances ``(V, C, C)`` and
        ``sum_t ||x_t||^4`` of the centred pixels, ``(V,)`` float64.
    """
    pixels = features.flatten(1).index_select(1, order[: sum(sizes)]).float()  # (C, n)
    channels = len(pixels)
    means = pixels.new_empty(len(classes), channels)
    covariances = pixels.new_empty(len(classes), channels, channels)
    quartic = pixels.new_empty(len(classes), dtype=torch.float64)
    for v, k in enumerate(classes):
        start = sum(sizes[:k])
        block = pixels[:, start : start + sizes[k]]
        torch.mean(block, dim=1, out=means[v])
        block -= means[v].unsqueeze(1)
        torch.mm(block, block.t(), out=covariances[v]).div_(sizes[k])
        torch.sum(block.square_().sum(dim=0).double().square_(), dim=0, out=quartic[v])
    return means, covariances, quartic


def total_variance(
    mean: Tensor, covariances: Tensor, count: Tensor, index: tuple[Tensor, Tensor]
) -> Tensor:
    """Variance per channel of all candidates' pixels of an image, within and between classes.

    Args:
        mean: ``(N, K, C)``, 0 for classes that are no candidates.
        covariances: ``(V, C, C)`` of the candidates.
        count: ``(N, K)`` pixels, 0 for classes that are no candidates.
        index: Image and class of each of the V candidates.

    Returns:
        Tensor: ``(N,)``.
    """
    share = (count / count.sum(dim=1, keepdim=True).clamp(min=1)).unsqueeze(2)  # (N, K, 1)
    between = (share * (mean - (share * mean).sum(dim=1, keepdim=True)).square()).mean(dim=2)
    within = torch.zeros_like(count)
    within[index] = covariances.diagonal(dim1=-2, dim2=-1).mean(dim=1)
    return (between + share.squeeze(2) * within).sum(dim=1)
