"""The paper's active learning without refinement: what confidence or error mask points at."""

from __future__ import annotations

from torch import Tensor, nn

from ...utils.errors import UserError
from ..pool.outputs import NEVER, PoolOutputs
from ..registry import QUERY_STRATEGIES
from .base import QueryStrategy, check_threshold


@QUERY_STRATEGIES.register_module()
class ConfidenceQuery(QueryStrategy):
    """Only pixels whose confidence is below a threshold, the least confident first.

    Args:
        threshold: In (0, 1).

    Raises:
        UserError: It is not.
    """

    def __init__(self, threshold: float = 0.7) -> None:
        self.threshold = check_threshold('ConfidenceQuery.threshold', threshold)

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        sure = outputs.confidence >= self.threshold
        return (1 - outputs.confidence).masked_fill(sure, NEVER)


@QUERY_STRATEGIES.register_module()
class ErrorMaskQuery(QueryStrategy):
    """Only pixels of the model's error mask, EMD or confidence, the least confident first.

    The paper's ablation with error mask decoder and without refinement (section 5).
    """

    needs = ('flagged',)

    def check(self, model: nn.Module) -> None:
        """Refuses a model without an error mask."""
        if getattr(model, 'refinement', None) is None:
            raise UserError(
                f'ErrorMaskQuery asks inside the error mask, and this {type(model).__name__} has '
                "none: give model.error_head=dict(type='ErrorMaskDecoder') or take ConfidenceQuery"
            )

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        return (1 - outputs.confidence).masked_fill(~outputs.flagged, NEVER)
