"""Query of the pixels that auto-refinement cannot decide (paper, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...utils.errors import UserError
from ..pool.outputs import NEVER, PoolOutputs
from ..registry import QUERY_STRATEGIES
from .base import QueryContext, QueryStrategy

NOTES = ('cells', 'flagged', 'corrected', 'unresolved')


@QUERY_STRATEGIES.register_module()
class PLARQuery(QueryStrategy):
    """Flagged pixels that the refinement could not decide, the smallest margin first.

    Where these are fewer than the budget allows, those follow that it decided on a thin margin.
    The labels that people have given in an image are references of its refinement.

    Args:
        paper_order: The paper's rule: undecided pixels alone, image after image in the order of
            the pool, until the budget is spent. Otherwise the best of the whole pool come first.
    """

    needs = ('refinement',)

    def __init__(self, paper_order: bool = False) -> None:
        self.in_pool_order = paper_order
        self._counts: Tensor | None = None

    def check(self, model: nn.Module) -> None:
        """Raises ``UserError`` if the model has no refiner."""
        refinement = getattr(model, 'refinement', None)
        if refinement is None or refinement.refiner is None:
            raise UserError(
                f'PLARQuery asks what a refiner leaves open, and this {type(model).__name__} has '
                "none: give model.refiner=dict(type='PseudoLabelAutoRefinement') or take another "
                'strategy'
            )

    def begin(self, context: QueryContext) -> None:
        """See the base class."""
        self._counts = None

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        valid = outputs.inside
        flagged = outputs.flagged & valid
        unresolved = flagged & outputs.unresolved
        masks = (valid, flagged, flagged & ~outputs.unresolved, unresolved)
        counts = torch.stack([mask.sum() for mask in masks])
        self._counts = counts if self._counts is None else self._counts + counts
        score = -outputs.margin
        if self.in_pool_order:
            return score.masked_fill(~outputs.unresolved, NEVER)
        score = torch.where(outputs.unresolved, score, score - 1)  # margins lie in [0, 1]
        return score.masked_fill(~outputs.flagged, NEVER)

    def notes(self) -> dict[str, int]:
        """Cells that the refinement saw, flagged, corrected without asking, and left open."""
        counts = [0] * len(NOTES) if self._counts is None else self._counts.tolist()
        return dict(zip(NOTES, counts, strict=True))
