"""Difficulty branch of DEAL (Xie et al. 2020): where a segmentor's own prediction is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ...utils.errors import UserError
from ..utils.pixel_losses import masked_mean

BYPASS = -0.01
"""Factor of the attention below which the public code leaves the attention out."""


@MODELS.register_module()
class DifficultyBranch(nn.Module):
    """Predicts from the logits of a segmentor how likely each pixel is wrong.

    The logits are resized to a small grid and become probabilities there; a 1x1 convolution turns
    these into one logit, which is resized to the size of the image. With ``attention`` the
    probabilities of similar positions are added before the convolution. Everything is computed
    in float32, whatever autocast says, and the input keeps its gradient.

    Args:
        num_classes: K.
        size: Height and width of the grid; (60, 80) for CamVid and (86, 86) for Cityscapes in the
            public code.
        attention: Whether there is a :class:`ProbabilityAttention`.
        align_corners: Whether maps are resized with aligned corners, as in the public code.

    Raises:
        UserError: ``size`` is no pair of positive whole numbers.
    """

    def __init__(
        self,
        num_classes: int,
        size: tuple[int, int],
        attention: bool = False,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        is_pair = isinstance(size, Sequence) and len(size) == 2
        if not is_pair or not all(isinstance(side, int) and side > 0 for side in size):
            raise UserError(
                f'size={size!r} of the difficulty branch must be a height and a width of at '
                'least 1 cell, such as (60, 80)'
            )
        self.size, self.align_corners = tuple(size), align_corners
        self.attention = ProbabilityAttention() if attention else None
        self.classifier = nn.Conv2d(num_classes, 1, kernel_size=1)

    def forward(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """Difficulty logits, whose sigmoid is the difficulty map.

        Args:
            logits: ``(N, K, h, w)`` of the decode head.
            size: Height and width of the result.

        Returns:
            Tensor: ``(N, H, W)`` float32.
        """
        with torch.autocast(logits.device.type, enabled=False):
            probs = self._resized(logits.float(), self.size).softmax(dim=1)
            if self.attention is not None:
                probs = self.attention(probs)
            return self._resized(self.classifier(probs), size).squeeze(1)

    def _resized(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(maps, tuple(size), mode='bilinear', align_corners=self.align_corners)


class ProbabilityAttention(nn.Module):
    """Adds to the probabilities of each position those of similar positions.

    ``gamma * P A^T + P`` with ``A = softmax_j(P^T P)``, where P is ``(K, h*w)``: attention without
    projections and without scale. ``gamma`` starts at 0, and counts as 0 below -0.01.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, probs: Tensor) -> Tensor:
        """Map ``(N, K, h, w)`` from probabilities ``(N, K, h, w)``."""
        positions = probs.flatten(2).transpose(1, 2)  # (N, h*w, K)
        # kernels that do not hold all (h*w)^2 weights want a multiple of 8 channels
        channels = F.pad(positions, (0, -positions.shape[2] % 8)).unsqueeze(1)
        similar = F.scaled_dot_product_attention(channels, channels, channels, scale=1.0)
        similar = similar[:, 0, :, : probs.shape[1]].transpose(1, 2).view_as(probs)
        return self.gamma * (self.gamma >= BYPASS) * similar + probs


def difficulty_loss(logits: Tensor, wrong: Tensor, known: Tensor) -> Tensor:
    """Binary cross entropy to the errors of a prediction, in which the rarer kind weighs more.

    ``w_0 * mean over right pixels + w_1 * mean over wrong pixels``, with weights that are
    proportional to ``1 / sqrt(n + 1)`` of the n pixels of their kind in the batch and add up to 1.

    Args:
        logits: ``(N, H, W)`` difficulty logits.
        wrong: ``(N, H, W)`` bool, True where the prediction is wrong.
        known: ``(N, H, W)`` bool, False where there is no label; such pixels do not count (in the
            public code they are right).

    Returns:
        Tensor: Scalar; 0 where no pixel is known.
    """
    loss = F.binary_cross_entropy_with_logits(logits, wrong.to(logits.dtype), reduction='none')
    kinds = torch.stack((known & ~wrong, known & wrong))  # (2, N, H, W)
    weights = (kinds.flatten(1).sum(dim=1) + 1).to(logits.dtype).rsqrt()
    means = torch.stack([masked_mean(loss, kind) for kind in kinds])
    return (weights / weights.sum() * means).sum()
