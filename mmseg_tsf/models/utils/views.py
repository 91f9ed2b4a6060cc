"""What networks show of images."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from mmseg.models.utils import resize
from torch import Tensor


@dataclass
class NetworkView:
    """What one network shows of some images.

    Attributes:
        grid_logits: ``(N, C, h, w)`` of the decode head, on its own grid; C is K, or 1 for a
            single sigmoid channel.
        features: Tapped feature maps ``(N, C_j, h_j, w_j)``, in the order of the taps; empty
            where there are none.
        size: Height and width of the images.
        align_corners: Whether the logits are resized with aligned corners.
        backbone: Feature maps of the backbone (and neck); empty where nothing needs them.
        tapped: Feature maps by the path under which the method asks for them (its ``taps``).
    """

    grid_logits: Tensor
    features: list[Tensor]
    size: tuple[int, int]
    align_corners: bool = False
    backbone: list[Tensor] = field(default_factory=list)
    tapped: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def logits(self) -> Tensor:
        """``(N, K, H, W)`` float32 at image size."""
        return upsample(self.grid_logits, self.size, self.align_corners)

    @cached_property
    def probs(self) -> Tensor:
        """``(N, K, H, W)`` softmax."""
        return self.logits.softmax(dim=1)

    def split(self, *sizes: int) -> list[NetworkView]:
        """Views of consecutive images, of this many each."""
        logits = self.grid_logits.split(sizes)
        features = [feature.split(sizes) for feature in self.features]
        backbone = [feature.split(sizes) for feature in self.backbone]
        tapped = {path: feature.split(sizes) for path, feature in self.tapped.items()}
        return [
            NetworkView(
                own,
                [feature[i] for feature in features],
                self.size,
                self.align_corners,
                [feature[i] for feature in backbone],
                {path: feature[i] for path, feature in tapped.items()},
            )
            for i, own in enumerate(logits)
        ]

    def detach(self) -> NetworkView:
        """The same without gradient."""
        features = [feature.detach() for feature in self.features]
        view = NetworkView(self.grid_logits.detach(), features, self.size, self.align_corners)
        view.logits = self.logits.detach()  # not computed again
        return view


def upsample(logits: Tensor, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Float32 class logits ``(N, K, H, W)`` at another size from those of a decode head."""
    logits = resize(logits.float(), tuple(size), mode='bilinear', align_corners=align_corners)
    return as_class_logits(logits)


def as_class_logits(logits: Tensor) -> Tensor:
    """A single sigmoid channel ``(N, 1, h, w)`` as logits of two classes; others unchanged."""
    if logits.shape[1] > 1:
        return logits
    return torch.cat((torch.zeros_like(logits), logits), dim=1)
