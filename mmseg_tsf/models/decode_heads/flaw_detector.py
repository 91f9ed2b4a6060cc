"""Flaw detector of guided collaborative training (Ke et al. 2020), and what it learns from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..utils.labels import IGNORE_INDEX

MIN_SIZE = 64
"""Side in pixels to which smaller images are enlarged, or the strides leave nothing of them."""


@MODELS.register_module()
class FlawDetector(nn.Module):
    """Finds, in an image and the probabilities of its pixels, where the prediction is wrong.

    Seven 4x4 convolutions, each with half batch and half instance norm, and a classifier.

    Args:
        num_classes: K.
        channels: Width of the first layer; the others have twice, four and eight times as many.
    """

    def __init__(self, num_classes: int, channels: int = 64) -> None:
        super().__init__()
        widths = [channels * factor for factor in (1, 2, 2, 4, 4, 8, 8)]
        strides = (2, 2, 1, 2, 1, 2, 1)
        layers, width = [], 3 + num_classes
        for own, stride in zip(widths, strides, strict=True):
            # no bias: the norm behind it takes it away
            convolution = nn.Conv2d(width, own, 4, stride=stride, padding=1, bias=False)
            layers += [convolution, HalfInstanceNorm(own), nn.LeakyReLU(0.2, inplace=True)]
            width = own
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Conv2d(width, 1, kernel_size=4, stride=2, padding=1)

    def forward(self, images: Tensor, probs: Tensor) -> Tensor:
        """Flaw map ``(N, H, W)`` of images ``(N, 3, H, W)`` and probabilities ``(N, K, H, W)``."""
        both, size = torch.cat((images, probs), dim=1), images.shape[2:]
        if min(size) < MIN_SIZE:
            both = F.interpolate(both, [max(side, MIN_SIZE) for side in size], mode='bilinear')
        found = self.classifier(self.layers(both)).float()
        return F.interpolate(found, size, mode='bilinear', align_corners=True).squeeze(1)


class HalfInstanceNorm(nn.Module):
    """Batch norm of the first half of the channels, instance norm of the others (IBN)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(channels // 2)
        self.instance = nn.InstanceNorm2d(channels - channels // 2, affine=False)

    def forward(self, features: Tensor) -> Tensor:
        """Normalises ``(N, C, h, w)``."""
        first, second = features.split((self.batch.num_features, self.instance.num_features), 1)
        return torch.cat((self.batch(first), self.instance(second)), dim=1)


def flaw_target(probs: Tensor, labels: Tensor, scale: float = 0.5, dilation: float = 1.0) -> Tensor:
    """What the detector learns: the smoothed error of a prediction, between 0 and 1.

    Pixels without a label are no flaw (in the public code they are).

    Args:
        probs: ``(N, K, H, W)`` probabilities.
        labels: ``(N, H, W)`` int64, 255 = none.
        scale: Factor of the summed absolute difference (mu).
        dilation: Factor of the dilated and blurred difference (nu).

    Returns:
        Tensor: ``(N, H, W)``.
    """
    known = labels != IGNORE_INDEX
    one_hot = F.one_hot(labels.where(known, 0), probs.shape[1]).permute(0, 3, 1, 2)
    difference = scale * (one_hot - probs).abs().sum(dim=1) * known
    height = probs.shape[2]
    wide = blur(difference, height // 8)
    wide = F.max_pool2d(wide.unsqueeze(1), kernel_size=3, stride=1, padding=1).squeeze(1)
    return stretched(dilation * blur(wide, height // 4))


def handled(flaws: Tensor) -> Tensor:
    """Flaw maps ``(N, H, W)`` as the losses take them: clipped, blurred, stretched to [0, 1].

    A map whose largest value is 0.1 or less has no flaw.
    """
    flaws = blur(flaws.clamp(min=0), flaws.shape[1] // 16)
    found = flaws.amax(dim=(1, 2), keepdim=True) > 0.1
    return torch.where(found, stretched(flaws), 0.0)


def stretched(values: Tensor) -> Tensor:
    """Maps ``(N, H, W)`` between 0 and 1 each; flat ones become 0."""
    low, high = values.amin(dim=(1, 2), keepdim=True), values.amax(dim=(1, 2), keepdim=True)
    return (values - low) / (high - low).clamp(min=1e-9)


def blur(values: Tensor, size: int) -> Tensor:
    """Gaussian blur of maps ``(N, H, W)`` by a kernel of this size, the next odd one.

    In float32, whatever autocast says: equal flaws mean that no network is better.
    """
    size += 1 - size % 2
    sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    offset = torch.arange(size, device=values.device, dtype=torch.float32) - size // 2
    kernel = torch.exp(-offset.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    half = size // 2
    padded = F.pad(values.float().unsqueeze(1), (half, half, half, half), mode='reflect')
    with torch.autocast(values.device.type, enabled=False):
        return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3)).squeeze(1)
