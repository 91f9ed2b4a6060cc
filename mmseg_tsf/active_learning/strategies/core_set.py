"""Core-set selection: images or regions that the labelled ones do not cover."""

from __future__ import annotations

from torch import Tensor

from ...utils.errors import UserError
from ..pool.outputs import PoolOutputs
from ..registry import QUERY_STRATEGIES
from ..selection.joint import JointCandidates, k_center
from .base import QueryStrategy


@QUERY_STRATEGIES.register_module()
class CoreSetQuery(QueryStrategy):
    """Greedy k-center in the space of decoder features (Sener & Savarese 2018).

    The unit farthest from all labelled ones is asked, becomes a centre itself, and so on. An image
    stands for the mean of its features, a region for the mean of its cells. With ``'cosine'`` and
    whole images this is the core-set of DEAL's code, whose experiments call it VAAL (see
    :class:`VAALQuery` for the method of that name); ViewAL takes ``'euclidean'``. DEAL's code looks
    at a random 40 % of the pool, this at all of it.

    Args:
        metric: Distance of two units, ``'cosine'`` or ``'euclidean'``.
        features: Module path of the features in the segmentor, see ``FeatureTap``; by default what
            the classifier of any decode head receives. DEAL takes
            ``'decode_head.sep_bottleneck:input'`` of DeepLabV3+, 256 + 48 channels.

    Raises:
        UserError: The metric is unknown.
    """

    needs = ('features',)

    def __init__(
        self, metric: str = 'cosine', features: str = 'decode_head.conv_seg:input'
    ) -> None:
        if metric not in ('cosine', 'euclidean'):
            raise UserError(f"CoreSetQuery.metric={metric!r} must be 'cosine' or 'euclidean'")
        self.metric, self.taps = metric, (features,)

    def score(self, outputs: PoolOutputs) -> Tensor:
        """Equal scores: features decide."""
        return outputs.logits.new_zeros(outputs.logits[:, 0].shape)

    def embed(self, outputs: PoolOutputs) -> Tensor:
        """See the base class."""
        return outputs.features[0]

    def pick(self, candidates: JointCandidates):
        """See the base class."""
        return k_center(candidates, self.metric)
