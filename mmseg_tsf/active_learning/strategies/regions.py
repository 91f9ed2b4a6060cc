"""Published queries of single pixels, small windows and cells of a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...utils.errors import UserError
from ...utils.options import check_count
from ..pool.outputs import PoolOutputs
from ..registry import QUERY_STRATEGIES
from .base import QueryStrategy
from .uncertainty import EntropyQuery, MarginQuery


@QUERY_STRATEGIES.register_module()
class PixelPickQuery(MarginQuery):
    """Random pixels among those of smallest margin in each image (PixelPick; Shin et al. 2021).

    Use it with ``PixelSelector(suppression=0, max_per_image=10)`` and a budget of ten pixels of
    every image. The published round 0 asks ten random ones: ``first_query=dict(
    type='RandomQuery')``. The public code takes margins at the size of the image; here they are
    those of the decode head's grid.

    Args:
        share: Share of an image's cells from which pixels are drawn, in (0, 1]; the others follow
            by their margin where these are used up.

    Raises:
        UserError: The share is out of its range.
    """

    def __init__(self, share: float = 0.05) -> None:
        if not 0 < share <= 1:
            raise UserError(f'PixelPickQuery.share={share} must lie in (0, 1]')
        self.share = share

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        margin = -super().score(outputs)
        valid = outputs.inside
        rank = (
            margin.masked_fill(~valid, torch.inf)
            .flatten(1)
            .argsort(dim=1, stable=True)
            .argsort(dim=1)
        )
        most = (self.share * valid.flatten(1).sum(dim=1)).ceil()
        drawn = (rank < most[:, None]).view_as(margin)
        return torch.where(drawn, torch.zeros_like(margin), -1 - margin)


@QUERY_STRATEGIES.register_module()
class RIPUQuery(QueryStrategy):
    """Region impurity times prediction uncertainty (RIPU; Xie et al. 2022).

    Impurity is the entropy of the predicted classes in a square window of ``2 radius + 1`` cells,
    uncertainty the mean entropy in it, both as a share of ``log K``. The published form scores
    windows of pixels at the size of the image; here they are windows of cells of the decode head's
    grid. Regions: ``radius=1`` with ``PixelSelector(block=12, suppression=2)`` on a grid of
    stride 4. Padding counts in no window; the public code lets it.

    Args:
        radius: Cells of the window on each side of its centre.
        pixel: Whether single pixels are asked (RIPU-PA, ``radius=32`` in pixels): the entropy of
            the centre alone is the uncertainty.

    Raises:
        UserError: The radius is below 1.
    """

    def __init__(self, radius: int = 1, pixel: bool = False) -> None:
        self.radius, self.pixel = check_count('RIPUQuery.radius', radius), pixel

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        num_classes = outputs.logits.shape[1]
        valid = outputs.inside.float()
        shown = F.one_hot(outputs.predicted, num_classes).movedim(-1, 1) * valid.unsqueeze(1)
        count = self._window_sum(valid.unsqueeze(1)).clamp(min=1)
        share = self._window_sum(shown) / count
        impurity = torch.special.entr(share).sum(dim=1) / math.log(num_classes)
        entropy = EntropyQuery().score(outputs)
        if not self.pixel:
            entropy = (self._window_sum((entropy * valid).unsqueeze(1)) / count).squeeze(1)
        return impurity * entropy

    def _window_sum(self, maps: Tensor) -> Tensor:
        """Sums of ``(N, C, h, w)`` over the window around each cell."""
        side = 2 * self.radius + 1
        pooled = F.avg_pool2d(maps, (side, 1), 1, (self.radius, 0), divisor_override=1)
        return F.avg_pool2d(pooled, (1, side), 1, (0, self.radius), divisor_override=1)


@QUERY_STRATEGIES.register_module()
class S4ALQuery(EntropyQuery):
    """Entropy of the mean logits of several scales (S4AL; Rangnekar et al. 2023).

    Use it with ``GridSelector(inner=True, max_per_image=n)`` and a budget of n regions of every
    image.

    Args:
        scales: Scales of the image; logits are averaged on the grid of the first.
    """

    mean_of = 'logits'

    def __init__(self, scales: Sequence[float] = (1.0, 0.5, 2.0)) -> None:
        self.scales = tuple(scales)
