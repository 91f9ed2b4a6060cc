"""The paper's active learning without error mask decoder and refinement."""

from __future__ import annotations

from torch import Tensor

from ..registry import QUERY_STRATEGIES
from .base import NEVER, PoolOutputs, QueryStrategy, check_threshold


@QUERY_STRATEGIES.register_module()
class ConfidenceQuery(QueryStrategy):
    """Only pixels whose confidence is below a threshold, the least confident first.

    Args:
        threshold: In (0, 1).

    Raises:
        ValueError: It is not.
    """

    def __init__(self, threshold: float = 0.7) -> None:
        self.threshold = check_threshold('ConfidenceQuery.threshold', threshold)

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        sure = outputs.confidence >= self.threshold
        return (1 - outputs.confidence).masked_fill(sure, NEVER)
