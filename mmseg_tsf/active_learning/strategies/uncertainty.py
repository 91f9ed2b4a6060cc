"""Strategies that ask where the network's probabilities are undecided."""

from __future__ import annotations

import math

from torch import Tensor

from ..pool.outputs import PoolOutputs
from ..registry import QUERY_STRATEGIES
from .base import QueryStrategy


@QUERY_STRATEGIES.register_module()
class EntropyQuery(QueryStrategy):
    """Largest entropy of the probabilities first, as a share of ``log K``, in [0, 1]."""

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        entropy = -(outputs.probs * outputs.logits.log_softmax(dim=1)).sum(dim=1)
        return entropy / math.log(outputs.logits.shape[1])


@QUERY_STRATEGIES.register_module()
class MarginQuery(QueryStrategy):
    """Smallest gap between the two largest probabilities first (PixelPick; Shin et al. 2021)."""

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        # the best class taken out by its index, not its value: two may be equally probable
        others = outputs.probs.scatter(1, outputs.predicted.unsqueeze(1), -1.0)
        return others.amax(dim=1) - outputs.confidence


@QUERY_STRATEGIES.register_module()
class LeastConfidenceQuery(QueryStrategy):
    """Smallest confidence first."""

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        return 1 - outputs.confidence
