"""The baseline that every strategy has to beat."""

from __future__ import annotations

from torch import Tensor

from ..pool.outputs import PoolOutputs
from ..registry import QUERY_STRATEGIES
from .base import QueryStrategy


@QUERY_STRATEGIES.register_module()
class RandomQuery(QueryStrategy):
    """Asks at random, uniformly among cells, regions or images.

    All scores are equal, so that the selection's hash of (seed, pool index, unit) decides. A
    random score per cell would not do: the mean over a small region is larger, or smaller, than
    over a large one.
    """

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        return outputs.logits.new_zeros(outputs.logits[:, 0].shape)
