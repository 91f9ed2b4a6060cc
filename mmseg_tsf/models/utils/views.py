"""What networks show of images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor


@dataclass
class NetworkView:
    """What the teacher shows of some images.

    Attributes:
        grid_logits: ``(N, K, h, w)`` of the decode head, on its own grid.
        logits: ``(N, K, H, W)`` float32 at image size.
        features: Tapped maps F1 ``(N, C1, h1, w1)`` and F2 ``(N, C2, h2, w2)``; empty where
            nobody asked for them.
    """

    grid_logits: Tensor
    logits: Tensor
    features: list[Tensor]

    @cached_property
    def probs(self) -> Tensor:
        """``(N, K, H, W)`` softmax."""
        return self.logits.softmax(dim=1)

    def split(self, num: int) -> tuple[NetworkView, NetworkView]:
        """The first ``num`` images and the others."""
        parts = []
        for part in (slice(None, num), slice(num, None)):
            features = [feature[part] for feature in self.features]
            parts.append(NetworkView(self.grid_logits[part], self.logits[part], features))
        return parts[0], parts[1]
