"""Random choice, and strategies that ask where the network is in doubt."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ...utils.errors import UserError
from ..pool.outputs import NEVER, PoolOutputs
from ..registry import QUERY_STRATEGIES
from .base import QueryStrategy, check_threshold


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


def predictive_entropy(outputs: PoolOutputs) -> Tensor:
    """Entropy of the probabilities of each cell, ``(N, h, w)`` in nats."""
    return -(outputs.probs * outputs.logits.log_softmax(dim=1)).sum(dim=1)


@QUERY_STRATEGIES.register_module()
class EntropyQuery(QueryStrategy):
    """Largest entropy of the probabilities first, as a share of ``log K``, in [0, 1]."""

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        return predictive_entropy(outputs) / math.log(outputs.logits.shape[1])


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
        """Raises ``UserError`` if the model has no error mask."""
        if getattr(model, 'refinement', None) is None:
            raise UserError(
                f'ErrorMaskQuery asks inside the error mask, and this {type(model).__name__} has '
                "none: give model.error_head=dict(type='ErrorMaskDecoder') or take ConfidenceQuery"
            )

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        return (1 - outputs.confidence).masked_fill(~outputs.flagged, NEVER)
