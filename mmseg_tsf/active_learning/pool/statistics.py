"""What pseudo-label auto-refinement decides by itself in the pool, apart from what is asked."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor

NAMES = ('cells', 'flagged', 'corrected', 'unresolved')


class PoolStatistics:
    """Counts cells of the scored grid over a pass; nothing waits for the device meanwhile."""

    def __init__(self) -> None:
        self._counts: Tensor | None = None

    def add(self, valid: Tensor, flagged: Tensor, unresolved: Tensor) -> None:
        """Adds a batch; all ``(N, h, w)`` bool."""
        flagged = flagged & valid
        corrected = flagged & ~unresolved
        masks = (valid, flagged, corrected, flagged & unresolved)
        counts = torch.stack([mask.sum() for mask in masks])
        self._counts = counts if self._counts is None else self._counts + counts

    def compute(self, device: torch.device) -> dict[str, int]:
        """Sums over all ranks; every rank must call it.

        Args:
            device: Of the process group's collectives.

        Returns:
            dict[str, int]: Cells seen, flagged, corrected for free and left unresolved; empty
            where no refinement ran.
        """
        counts = self._counts
        if counts is None:
            counts = torch.zeros(len(NAMES), dtype=torch.int64, device=device)
        all_reduce(counts)
        if not counts[0]:
            return {}
        return dict(zip(NAMES, counts.tolist(), strict=True))
