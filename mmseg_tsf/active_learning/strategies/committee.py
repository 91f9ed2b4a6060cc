"""Query by committee: where several opinions differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...utils.errors import UserError
from ..pool.outputs import PoolOutputs
from ..registry import QUERY_STRATEGIES
from .base import QueryStrategy


@QUERY_STRATEGIES.register_module()
class QBCQuery(QueryStrategy):
    """Largest vote entropy of a committee first (Seung et al. 1992), in bits.

    The committee is the network that predicts in several passes with dropout, as in DEAL's code, or
    several networks of the method. Every dropout layer of the network is on. MMSegmentation's heads
    have one, of rate 0.1, before the classifier: its votes hardly differ, so raise
    ``decode_head.dropout_ratio`` (DEAL has 0.5 and 0.2 there, and 0.5 behind the ASPP).

    Args:
        passes: Number of passes with dropout; it counts where ``networks`` is ``None``.
        networks: Names of the networks that vote, an empty list for all of the model's networks;
            ``None`` for passes with dropout.

    Raises:
        UserError: There are fewer than two votes.
    """

    def __init__(self, passes: int = 10, networks: Sequence[str] | None = None) -> None:
        if networks is None and (not isinstance(passes, int) or passes < 2):
            raise UserError(f'QBCQuery.passes={passes!r}: a committee needs two passes or more')
        self.passes = passes if networks is None else 0
        self.networks = None if networks is None else tuple(networks)

    def check(self, model: nn.Module) -> None:
        """Raises ``UserError`` if the committee has one network alone."""
        if self.networks is not None and len(self.networks or model.network_names) < 2:
            raise UserError(
                f'QBCQuery.networks names one network of this {type(model).__name__}, and a '
                'committee needs two: take a method with more networks, or passes'
            )

    def score(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        members = outputs.passes if self.networks is None else outputs.committee
        return vote_entropy(members.argmax(dim=2), outputs.logits.shape[1])


def vote_entropy(votes: Tensor, num_classes: int) -> Tensor:
    """Entropy of the votes in each cell, in bits.

    Args:
        votes: ``(T, N, h, w)`` int64 class of each member.
        num_classes: K.

    Returns:
        Tensor: ``(N, h, w)`` float32.
    """
    counts = votes.new_zeros(num_classes, *votes.shape[1:], dtype=torch.float32)
    counts.scatter_add_(0, votes, torch.ones_like(votes, dtype=torch.float32))
    share = counts / len(votes)
    return torch.special.entr(share).sum(dim=0) / math.log(2)
