"""Strategies that share the budget among the predicted foreground classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ...utils.options import check_classes
from ...utils.seeding import hashed
from ..pool.outputs import PoolOutputs
from ..registry import QUERY_STRATEGIES
from ..selection.candidates import RECORD, score_bits
from ..selection.joint import JointCandidates, best_of
from .base import QueryContext, QueryStrategy
from .uncertainty import predictive_entropy


class StratifiedQuery(QueryStrategy):
    """Base: a share of the budget goes evenly to the foreground classes, the rest to all.

    Units are embedded by one value of each foreground class and one that holds for all classes. The
    classes come in a random order; one that cannot use its part leaves it to those that follow.

    Args:
        background: Classes that are no foreground; an empty list where all classes are alike.
        share: Share of the budget that the foreground classes get, in (0, 1].
    """

    def __init__(self, background: Sequence[int], share: float) -> None:
        self.background, self.share = tuple(background), share

    def check(self, model: nn.Module) -> None:
        """Raises ``UserError`` if the background names an unknown class, or all of them."""
        check_classes(f'{type(self).__name__}.background', self.background, model.num_classes)

    def begin(self, context: QueryContext) -> None:
        """See the base class."""
        self.seed = context.seed

    def foreground(self, num_classes: int) -> list[int]:
        """Foreground classes."""
        return [k for k in range(num_classes) if k not in self.background]

    @abstractmethod
    def rate(self, values: np.ndarray, chance: np.ndarray, is_rest: bool) -> np.ndarray:
        """Scores of units in one stratum.

        Args:
            values: ``(M,)`` float32 values of the units.
            chance: ``(M,)`` uniform numbers in (0, 1) of seed, stratum and unit.
            is_rest: Whether it is the stratum of all classes.

        Returns:
            np.ndarray: ``(M,)`` float32, ``-inf`` = not in the stratum.
        """

    def pick(self, candidates: JointCandidates) -> np.ndarray:
        """See the base class."""
        strata = candidates.embeddings().shape[1] - 1
        order = hashed(self.seed, np.arange(strata)).argsort(kind='stable')
        left = round(self.share * candidates.budget)
        spent, chosen = 0, np.zeros(0, RECORD)
        for place, stratum in enumerate((*order.tolist(), strata)):
            quota = -(-left // (strata - place)) if stratum < strata else candidates.budget - spent
            found = best_of(self._rated(candidates, stratum, chosen), quota)
            chosen = np.concatenate((chosen, found))
            cost = int(found['cost'].sum())
            left, spent = left - cost, spent + cost
        return chosen

    def _rated(
        self, candidates: JointCandidates, stratum: int, chosen: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Records of a stratum that are not chosen yet, their keys by its scores."""
        chosen = _identity(chosen)
        for _, records, embeddings in candidates.chunks():
            bits = hashed(self.seed, stratum, records['index'], records['unit'])
            chance = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
            is_rest = stratum == embeddings.shape[1] - 1
            scores = self.rate(embeddings[:, stratum], chance, is_rest).astype(np.float32)
            own = (scores > -np.inf) & ~np.isin(_identity(records), chosen)
            records = np.array(records[own])
            best = score_bits(scores[own]).astype(np.uint64)
            records['key'] = (best << np.uint64(32)) | (bits[own] >> np.uint64(32))
            yield records


def _identity(records: np.ndarray) -> np.ndarray:
    """``(M,)`` uint64 that tells units apart."""
    return (records['index'].astype(np.uint64) << np.uint64(32)) | records['unit']


@QUERY_STRATEGIES.register_module()
class ForegroundRandomQuery(StratifiedQuery):
    """Random units in which the network sees foreground, as many of each class.

    A baseline that is hard to beat where most of an image is background (nnActive, arXiv
    2511.19183). Units without foreground are asked once there are no others.

    Args:
        background: See :class:`StratifiedQuery`.
    """

    def __init__(self, background: Sequence[int] = (0,)) -> None:
        super().__init__(background, share=1.0)

    def score(self, outputs: PoolOutputs) -> Tensor:
        """0 where foreground is predicted and -1 elsewhere, for the limits of a selector."""
        background = torch.tensor(self.background, device=outputs.logits.device)
        return -torch.isin(outputs.predicted, background).float()

    def embed(self, outputs: PoolOutputs) -> Tensor:
        """Whether each foreground class is predicted, and whether any is."""
        classes = self.foreground(outputs.logits.shape[1])
        seen = [outputs.predicted == k for k in classes]
        return torch.stack([*seen, torch.stack(seen).any(dim=0)], dim=1).float()

    def rate(self, values: np.ndarray, chance: np.ndarray, is_rest: bool) -> np.ndarray:
        """See the base class."""
        return np.where(values > 0, chance, chance - 1 if is_rest else -np.inf)


@QUERY_STRATEGIES.register_module()
class ClaSPQuery(StratifiedQuery):
    """Class-stratified predictive entropy with noise that fades (ClaSP PE, arXiv 2601.13677).

    Two thirds of the budget are spent evenly on the foreground classes, by entropy times the
    probability of the class, and the rest by entropy. Scores are logarithms with Gumbel noise of
    scale ``1 / beta``, where beta rises from 1 in the first round to 100 in the last.

    Args:
        background: See :class:`StratifiedQuery`.
    """

    def __init__(self, background: Sequence[int] = (0,)) -> None:
        super().__init__(background, share=2 / 3)
        self.beta = 1.0

    def begin(self, context: QueryContext) -> None:
        """See the base class."""
        super().begin(context)
        self.beta = 100 ** (context.number / max(1, context.rounds - 1))

    def score(self, outputs: PoolOutputs) -> Tensor:
        """Entropy, for the limits of a selector."""
        return predictive_entropy(outputs)

    def embed(self, outputs: PoolOutputs) -> Tensor:
        """Entropy times the probability of each foreground class, and entropy."""
        entropy = predictive_entropy(outputs).unsqueeze(1)
        classes = self.foreground(outputs.logits.shape[1])
        return torch.cat([entropy * outputs.probs[:, classes], entropy], dim=1)

    def rate(self, values: np.ndarray, chance: np.ndarray, is_rest: bool) -> np.ndarray:
        """See the base class."""
        gumbel = -np.log(-np.log(chance))
        return np.log(np.maximum(values, 1e-12)) + gumbel / self.beta
