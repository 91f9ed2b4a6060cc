"""Query of images that a difficulty branch finds difficult (DEAL, Xie et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...utils.errors import UserError
from ...utils.options import check_count
from ..pool.outputs import PoolOutputs
from ..registry import QUERY_STRATEGIES
from .base import QueryContext, QueryStrategy

PART = 'difficulty'
"""Name of the part of the network that predicts difficulty."""


@QUERY_STRATEGIES.register_module()
class DEALQuery(QueryStrategy):
    """Largest difficulty first, or images whose pixels differ most in difficulty.

    The difficulty map is that of the network that predicts, on the grid of its decode head. DEAL
    computes it at the size of the image, to which the same logits are resized, and asks out of a
    random half of the pool; here the means and histograms are over fewer values, and the whole
    pool may be asked. Padding does not count: the branch sees the nearest cell of the image in its
    place, and the histograms leave it out.

    Args:
        score: ``'difficulty'`` (DS) for the map itself, whose mean over the image
            :class:`ImageSelector` takes, or ``'entropy'`` (DE) for the entropy, in nats, of the
            histogram of the image's map between its smallest and largest value: one number for
            all cells of the image.
        bins: Number of bins of the histogram (8 or 10 in the public code's experiments).

    Raises:
        UserError: An option is wrong.
    """

    def __init__(self, score: str = 'difficulty', bins: int = 10) -> None:
        if score not in ('difficulty', 'entropy'):
            raise UserError(f"DEALQuery.score={score!r} must be 'difficulty' or 'entropy'")
        self.by_entropy, self.bins = score == 'entropy', check_count('DEALQuery.bins', bins, 2)
        self.branch: nn.Module | None = None

    def check(self, model: nn.Module) -> None:
        """Raises ``UserError`` if the network that predicts has no difficulty branch."""
        if PART not in getattr(model.network, 'parts', ()):
            raise UserError(
                f'DEALQuery asks a difficulty branch, and the {model.predict_on} of this '
                f"{type(model).__name__} has none: set model.type='DifficultyAwareLearning' or "
                'take another strategy'
            )

    def begin(self, context: QueryContext) -> None:
        """Takes the branch of the network that predicts."""
        self.branch = context.model.part(PART, context.model.predict_on)

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        valid = outputs.inside
        logits = edges_repeated(outputs.logits, valid)
        difficulty = self.branch(logits, logits.shape[2:]).sigmoid()
        if not self.by_entropy:
            return difficulty
        entropy = histogram_entropy(difficulty, valid, self.bins)
        return entropy.view(-1, 1, 1).expand_as(difficulty)


def edges_repeated(maps: Tensor, valid: Tensor) -> Tensor:
    """Maps in whose padding the nearest values inside of the image stand.

    Args:
        maps: ``(N, C, h, w)``.
        valid: ``(N, h, w)`` bool, False in the padding at the bottom and at the right.

    Returns:
        Tensor: ``(N, C, h, w)``.
    """
    inside = valid.any(dim=2), valid.any(dim=1)  # rows (N, h), columns (N, w)
    row, column = (
        torch.arange(own.shape[1], device=maps.device).minimum(own.sum(dim=1, keepdim=True) - 1)
        for own in inside
    )
    image = torch.arange(len(maps), device=maps.device)[:, None, None]
    return maps[image, :, row[:, :, None], column[:, None]].movedim(3, 1)


def histogram_entropy(values: Tensor, mask: Tensor, bins: int) -> Tensor:
    """Entropy of the histogram of each map, between its own smallest and largest value.

    Args:
        values: ``(N, h, w)``.
        mask: ``(N, h, w)`` bool, the values that count.
        bins: Number of bins of equal width.

    Returns:
        Tensor: ``(N,)`` in nats, in [0, log(bins)]; 0 where all values are equal.
    """
    values, mask = values.double().flatten(1), mask.flatten(1)
    low = values.masked_fill(~mask, torch.inf).amin(dim=1, keepdim=True)
    high = values.masked_fill(~mask, -torch.inf).amax(dim=1, keepdim=True)
    width = (high - low).masked_fill(high == low, 1.0)
    place = ((values - low) / width * bins).nan_to_num().clamp(min=0, max=bins - 1).long()
    counts = values.new_zeros(len(values), bins).scatter_add_(1, place, mask.to(values.dtype))
    shares = counts / counts.sum(dim=1, keepdim=True)
    return torch.special.entr(shares).sum(dim=1).float()
