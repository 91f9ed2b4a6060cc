"""What labelled images of the past say of classes that an image does not show enough of."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from .class_statistics import ClassStatistics, block_moments, sort_by_label
from .shrinkage import cholesky, shrink_


class ClassMemory(nn.Module):
    """Running mean and covariance of every class on one feature map, the same on every rank.

    The state is that of a mixture: the old Gaussian with weight ``momentum``, that of the new
    pixels with the rest, the spread between their means included.

    Args:
        num_classes: K.
        channels: C.
        momentum: Weight of the past, in [0, 1). The first sight of a class is taken as it is.
    """

    def __init__(self, num_classes: int, channels: int, momentum: float = 0.99) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer('mean', torch.zeros(num_classes, channels))
        self.register_buffer('covariance', torch.zeros(num_classes, channels, channels))
        self.register_buffer('count', torch.zeros(num_classes))

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Takes the labelled pixels of a batch, of all ranks.

        Args:
            features: ``(N, C, h, w)``.
            labels: ``(N, h, w)`` int64, 255 = ignore.
        """
        with torch.autocast(features.device.type, enabled=False):
            count, mean, covariance = self._pooled_moments(features, labels)
        # 0 for classes that are absent, 1 at first sight
        step = torch.where(self.count > 0, 1 - self.momentum, 1.0) * (count > 0)
        shift = mean - self.mean
        outer = shift.unsqueeze(2) * shift.unsqueeze(1)
        between = (step * (1 - step)).view(-1, 1, 1) * outer
        self.covariance.lerp_(covariance, step.view(-1, 1, 1)).add_(between)
        self.mean.lerp_(mean, step.unsqueeze(1))
        self.count += count

    def _pooled_moments(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Count ``(K,)``, mean ``(K, C)`` and covariance ``(K, C, C)`` over all images and ranks.

        Moments are taken around a mean that is known, never as ``E[xx^T] - mm^T``, which cancels.
        """
        order, count, sizes = sort_by_label(labels, len(self.count))
        mean = torch.zeros_like(self.mean).expand(len(labels), -1, -1).clone()
        scatter = torch.zeros_like(self.covariance)
        for i, own in enumerate([k for k, n in enumerate(row) if n] for row in sizes):
            if own:
                mean[i, own], covariance, _ = block_moments(features[i], order[i], sizes[i], own)
                scatter[own] += covariance * count[i, own].view(-1, 1, 1)
        total = torch.cat(((count.unsqueeze(2) * mean).sum(dim=0), count.sum(dim=0)[:, None]), 1)
        all_reduce(total)
        pooled = total[:, :-1] / total[:, -1:].clamp(min=1)
        shift = (mean - pooled) * count.sqrt().unsqueeze(2)  # (N, K, C)
        scatter += torch.einsum('nkc,nkd->kcd', shift, shift)
        all_reduce(scatter)
        return total[:, -1], pooled, scatter / total[:, -1].clamp(min=1).view(-1, 1, 1)

    @torch.no_grad()
    def supply(
        self, statistics: ClassStatistics, min_pixels: int, shrinkage: str | float
    ) -> ClassStatistics:
        """Fills in classes that are no candidates in an image and known from others.

        Ledoit-Wolf needs fourth moments, which are not kept: OAS stands in for it.

        Args:
            statistics: Of N images.
            min_pixels: Pixels that the memory must have seen of a class.
            shrinkage: As in :func:`class_statistics`.
        """
        known = self.count >= min_pixels
        shrunk = self.covariance.clone()
        variance = shrunk.diagonal(dim1=-2, dim2=-1).mean(dim=1)
        variance = (variance * known).sum() / known.sum().clamp(min=1)
        shrinkage = 'oas' if shrinkage == 'ledoit_wolf' else shrinkage
        count, shared = self.count, statistics.factor.shape[1] == 1
        if shared:
            weight = count * known
            count = weight.sum(dim=0, keepdim=True)
            shrunk = torch.tensordot(weight / count.clamp(min=1), shrunk, 1).unsqueeze(0)
        shrink_(shrunk, count, shrinkage, variance.expand(len(shrunk)))
        missing = known & ~statistics.valid  # (N, K)
        mean = torch.where(missing[..., None], self.mean, statistics.mean)
        replaced = missing
        if shared:  # the covariance of an image's own pixels serves the remembered classes, too
            replaced = (missing.any(dim=1) & ~statistics.valid.any(dim=1)).unsqueeze(1)
        factor = torch.where(replaced[..., None, None], cholesky(shrunk), statistics.factor)
        return ClassStatistics(mean, factor, statistics.count, statistics.valid | missing)
