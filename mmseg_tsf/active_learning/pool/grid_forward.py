"""What the network shows of pool images, on the grid that is scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from mmseg.models.utils import resize
from torch import Tensor, nn

from ...evaluation.hidden_masks import taps_of
from ...models.segmentors.semi_base import SemiSegmentor
from ...models.utils.feature_tap import FeatureTap
from ...models.utils.grid import nearest
from ...models.utils.pixel_losses import IGNORE_INDEX
from ...models.utils.views import NetworkView, as_class_logits
from ...utils.errors import UserError
from ..strategies.base import QueryStrategy
from .outputs import PoolOutputs
from .statistics import PoolStatistics

SLIDE_STRIDE = 4  # of the grid where the network slides: about a decode head's own


class GridForward:
    """Runs the network that predicts, without upsampling where nobody needs it.

    A model with a teacher and a refinement shows the teacher's features. Views (flips, scales)
    and sliding give probabilities only.

    Args:
        model: A ``SemiSegmentor``.
        strategy: What is needed of it.
        flip: Whether to average with the mirrored image.
        scales: Of the views whose probabilities are averaged, on the grid of the first one.
        statistics: Is told what the refinement decides, where the strategy needs one.

    Raises:
        UserError: The strategy needs what the model, its test mode or the views do not give.
    """

    def __init__(
        self,
        model: nn.Module,
        strategy: QueryStrategy,
        flip: bool = False,
        scales: Sequence[float] = (1.0,),
        statistics: PoolStatistics | None = None,
    ) -> None:
        if not isinstance(model, SemiSegmentor):
            raise UserError(
                f'a {type(model).__name__} can not score a pool: wrap it, model=dict('
                "type='SupervisedOnly', segmentor=...)"
            )
        strategy.check(model)
        if not scales or min(scales) <= 0:
            raise UserError(f'scales={tuple(scales)} must be positive: (1.0,) for one view')
        self.model, self.needs = model, strategy.needs
        self.statistics = statistics
        self.refinement = getattr(model, 'refinement', None)
        self.views = [(scale, mirror) for scale in scales for mirror in (False, True)[: 1 + flip]]
        self.slides = (model.network.test_cfg or {}).get('mode', 'whole') == 'slide'
        error_head = getattr(self.refinement, 'error_head', None)
        self.taps_features = bool({'features', 'refinement'} & set(self.needs)) or (
            'flagged' in self.needs and error_head is not None
        )
        name = type(strategy).__name__
        if self.taps_features and self.slides:
            raise UserError(
                f"{name} needs features, which test_cfg.mode='slide' does not give: set "
                "test_cfg.mode='whole'"
            )
        if self.taps_features and self.views != [(1.0, False)]:
            raise UserError(
                f'{name} needs features, which have no average over views: leave flip and scales '
                'as they are'
            )

    @torch.no_grad()
    def __call__(
        self,
        images: Tensor,
        keys: Tensor,
        seed: int,
        manual: Callable[[tuple[int, int]], Tensor],
        valid: Tensor,
    ) -> PoolOutputs:
        """Outputs of a batch.

        Args:
            images: ``(N, 3, H, W)`` preprocessed.
            keys: ``(N,)`` int64 pool indices, on the host.
            seed: Of the query.
            manual: Gives the manual labels ``(N, h, w)`` int64 on a grid, 255 elsewhere.
            valid: ``(N, H, W)`` bool, False in the padding.
        """
        logits, features = self._logits(images)
        grid = tuple(logits.shape[2:])
        outputs = PoolOutputs(logits, keys, seed, features, nearest(valid, grid))
        if self.refinement is None or not {'flagged', 'refinement'} & set(self.needs):
            return outputs
        view = NetworkView(logits, features, grid)
        outputs.flagged = self.refinement.flag(view, outputs.confidence) & outputs.valid
        if 'refinement' in self.needs:
            given = manual(tuple(features[-1].shape[2:]))  # the refiner's grid
            found = self.refinement.refiner(
                features, outputs.probs, outputs.flagged, given, valid, with_change=False
            )
            outputs.manual = nearest(given, grid)
            # a block may cover a labelled cell in part: nothing is left to learn there
            outputs.flagged = outputs.flagged & (outputs.manual == IGNORE_INDEX)
            for name in ('labels', 'unresolved', 'margin'):
                setattr(outputs, name, nearest(getattr(found, name), grid))
            if self.statistics is not None:
                self.statistics.add(outputs.valid, outputs.flagged, outputs.unresolved)
        return outputs

    def _logits(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """``(N, K, h, w)`` float32 logits on the grid, and the tapped features."""
        if self.taps_features:
            name = self.model.predict_on if self.refinement is None else self.model.labellers[0]
            taps = taps_of(self.model)
            with FeatureTap(getattr(self.model, name), taps) as tap:
                logits = self.model.run(name, images)[1]
            return as_class_logits(logits.float()), [tap[path] for path in taps]
        if self.views == [(1.0, False)]:
            return self._view(images), []
        mean, grid = 0.0, None
        for scale, mirror in self.views:
            size = tuple(max(1, round(scale * side)) for side in images.shape[2:])
            view = images.flip(3) if mirror else images
            probs = self._view(resize(view, size, mode='bilinear')).softmax(dim=1)
            probs = probs.flip(3) if mirror else probs
            grid = grid or tuple(probs.shape[2:])
            mean = mean + resize(probs, grid, mode='bilinear')
        return (mean / len(self.views)).clamp(min=torch.finfo(mean.dtype).tiny).log(), []

    def _view(self, images: Tensor) -> Tensor:
        """``(N, K, h, w)`` float32 logits of one view."""
        if not self.slides:
            return as_class_logits(self.model.run(self.model.predict_on, images)[1].float())
        metas = [dict(img_shape=images.shape[2:]) for _ in images]
        logits = as_class_logits(self.model.network.slide_inference(images, metas).float())
        size = tuple(-(-side // SLIDE_STRIDE) for side in images.shape[2:])
        return F.interpolate(logits, size, mode='bilinear', align_corners=False)
