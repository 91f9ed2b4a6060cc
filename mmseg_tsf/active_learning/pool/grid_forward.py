"""What the network shows of pool images, on the grid that is scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from mmseg.models.utils import resize
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from ...models.refinement.label_refinement import TAPS
from ...models.segmentors.semi_base import SemiSegmentor
from ...models.utils.feature_tap import FeatureTap
from ...models.utils.grid import nearest
from ...models.utils.labels import IGNORE_INDEX
from ...models.utils.views import NetworkView, as_class_logits
from ...utils.errors import UserError
from ...utils.seeding import draw_seed
from .outputs import PoolOutputs, Scorer

REFINED = {'error_probability', 'flagged', 'refinement'}
"""Outputs that the model's refinement gives."""
SLIDE_STRIDE = 4  # of the grid where the network slides: about a decode head's own


class GridForward:
    """Runs the network that predicts, and what else a strategy needs, on the decode head's grid.

    A model with a refinement shows the features of its first labeller. Views (flips, scales) and
    sliding windows give probabilities only.

    Args:
        model: A ``SemiSegmentor``.
        strategy: Query strategy; says which outputs it needs.
        flip: Whether to average with the mirrored image.
        scales: Scales of the views that are averaged, on the grid of the first; those of the
            strategy by default.

    Raises:
        UserError: The strategy needs what the model, its test mode or the views do not give.
    """

    def __init__(
        self,
        model: nn.Module,
        strategy: Scorer,
        flip: bool = False,
        scales: Sequence[float] | None = None,
    ) -> None:
        if not isinstance(model, SemiSegmentor):
            raise UserError(
                f'a {type(model).__name__} cannot score a pool: wrap it, model=dict('
                "type='SupervisedOnly', segmentor=...)"
            )
        strategy.check(model)
        scales = strategy.scales if scales is None else scales
        if not scales or min(scales) <= 0:
            raise UserError(f'scales={tuple(scales)} must be positive: (1.0,) for one view')
        self.model, self.needs, self.passes = model, strategy.needs, strategy.passes
        self.mean_of = strategy.mean_of
        self.networks = _committee(model, strategy)
        self.refinement = model.refinement
        self.views = [(scale, mirror) for scale in scales for mirror in (False, True)[: 1 + flip]]
        self.slides = (model.network.test_cfg or {}).get('mode', 'whole') == 'slide'
        error_head = getattr(self.refinement, 'error_head', None)
        own, refined = self._find_taps(strategy, error_head is not None)
        self.taps, self.num_own = own + refined, len(own)
        name = type(strategy).__name__
        if self.taps:
            FeatureTap(model.network, self.taps)  # refuses a wrong path
        if 'error_probability' in self.needs and error_head is None:
            raise UserError(
                f'{name} needs the error probability, and this {type(model).__name__} has no '
                "error_head: give model.error_head=dict(type='ErrorMaskDecoder')"
            )
        if self.taps and self.slides:
            raise UserError(
                f"{name} needs features, which test_cfg.mode='slide' does not give: set "
                "test_cfg.mode='whole'"
            )
        if self.taps and self.views != [(1.0, False)]:
            raise UserError(
                f'{name} needs features, which have no average over views: leave flip and scales '
                'as they are'
            )

    def _find_taps(
        self, strategy: Scorer, has_error_head: bool
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Module paths of the features for the strategy, and of those for the refinement."""
        needs = set(self.needs)
        refined = tuple(TAPS if self.refinement is None else self.refinement.taps)
        own = tuple(strategy.taps) or refined
        is_refined = {'refinement', 'error_probability'} & needs
        is_refined = is_refined or ('flagged' in needs and has_error_head)
        return own if 'features' in needs else (), refined if is_refined else ()

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
            seed: Seed of the query.
            manual: Function that returns the manual labels ``(N, h, w)`` int64 on a grid, 255
                elsewhere.
            valid: ``(N, H, W)`` bool, False in the padding.
        """
        logits, features = self._logits(images)
        grid = tuple(logits.shape[2:])
        own = features[: self.num_own]
        outputs = PoolOutputs(logits, keys, seed, own, nearest(valid, grid))
        if self.passes:
            outputs.passes = self._dropout_passes(images, keys, seed)
        if self.networks:
            outputs.committee = torch.stack([self._view(images, name) for name in self.networks])
        if self.refinement is None or not REFINED & set(self.needs):
            return outputs
        features = features[self.num_own :]
        view = NetworkView(logits, features, grid)
        view.logits, view.probs = logits, outputs.probs  # of this size already
        if 'error_probability' in self.needs:
            outputs.error_probability = self.refinement.error_probability(view)
        if not {'flagged', 'refinement'} & set(self.needs):
            return outputs
        outputs.flagged = self.refinement.flag(view, outputs.confidence) & outputs.valid
        if 'refinement' in self.needs:
            given = manual(tuple(features[-1].shape[2:]))  # the refiner's grid
            found = self.refinement.decide(view, outputs.flagged, given, valid)
            outputs.manual = nearest(given, grid)
            # a block may cover a labelled cell in part: nothing is left to learn there
            outputs.flagged = outputs.flagged & (outputs.manual == IGNORE_INDEX)
            for name in ('labels', 'unresolved', 'margin'):
                setattr(outputs, name, nearest(getattr(found, name), grid))
        return outputs

    def _logits(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """``(N, K, h, w)`` float32 logits on the grid, and the tapped features."""
        if self.taps:
            name = self.model.predict_on
            if self.refinement is not None:
                name = self.model.labellers[0]
            view = self.model.show(name, images, self.taps)
            return as_class_logits(view.grid_logits.float()), view.features
        if self.views == [(1.0, False)]:
            return self._view(images), []
        mean, grid = 0.0, None
        for scale, mirror in self.views:
            size = tuple(max(1, round(scale * side)) for side in images.shape[2:])
            view = images.flip(3) if mirror else images
            shown = self._view(resize(view, size, mode='bilinear'))
            shown = shown if self.mean_of == 'logits' else shown.softmax(dim=1)
            shown = shown.flip(3) if mirror else shown
            grid = grid or tuple(shown.shape[2:])
            mean = mean + resize(shown, grid, mode='bilinear')
        mean = mean / len(self.views)
        if self.mean_of == 'logits':
            return mean, []
        return mean.clamp(min=torch.finfo(mean.dtype).tiny).log(), []

    def _dropout_passes(self, images: Tensor, keys: Tensor, seed: int) -> Tensor:
        """``(T, N, K, h, w)`` logits with dropout on, everything else in evaluation mode.

        The T passes of an image are one batch with a seed of its own, so that they do not depend
        on the other images of a batch. A backbone without dropout runs once for all of them.
        """
        name, passes = self.model.predict_on, []
        network = getattr(self.model, name)
        layers = _dropouts(network)
        before = (network.backbone, *([network.neck] if network.with_neck else ()))
        shared = not any(map(_dropouts, before))
        device = images.device
        with torch.random.fork_rng([device] if device.type == 'cuda' else []):
            for layer in layers:
                layer.train()
            for image, key in zip(images, keys.tolist(), strict=True):
                torch.manual_seed(draw_seed(seed, key))
                times = 1 if shared else self.passes
                features = network.extract_feat(image.expand(times, *image.shape))
                if shared:
                    features = [own.expand(self.passes, *own.shape[1:]) for own in features]
                passes.append(as_class_logits(self.model.decode(name, features).float()))
            for layer in layers:
                layer.eval()
        return torch.stack(passes, dim=1)

    def _view(self, images: Tensor, name: str = '') -> Tensor:
        """``(N, K, h, w)`` float32 logits of one view, by the network that predicts or another."""
        name = name or self.model.predict_on
        if not self.slides:
            return as_class_logits(self.model.run(name, images)[1].float())
        metas = [dict(img_shape=images.shape[2:]) for _ in images]
        logits = as_class_logits(getattr(self.model, name).slide_inference(images, metas).float())
        size = tuple(-(-side // SLIDE_STRIDE) for side in images.shape[2:])
        return F.interpolate(logits, size, mode='bilinear', align_corners=False)


def _dropouts(module: nn.Module) -> list[nn.Module]:
    """Layers of dropout that drop anything."""
    return [own for own in module.modules() if isinstance(own, _DropoutNd) and own.p > 0]


def _committee(model: SemiSegmentor, strategy: Scorer) -> tuple[str, ...]:
    """Names of the committee's networks; checks passes and networks against the model."""
    name = type(strategy).__name__
    if strategy.passes and not _dropouts(model.network):
        raise UserError(
            f'{name} takes passes with dropout, and the {model.predict_on} of this '
            f'{type(model).__name__} has none: set segmentor.decode_head.dropout_ratio'
        )
    if strategy.networks is None:
        return ()
    unknown = sorted(set(strategy.networks) - set(model.network_names))
    if unknown:
        raise UserError(
            f'{name} asks the networks {", ".join(unknown)}: {type(model).__name__} has '
            f'{", ".join(model.network_names)}'
        )
    names = tuple(strategy.networks) or model.network_names
    stale = [own for own in names if own in model.snapshots]
    if stale:
        raise UserError(
            f'{name} asks the {stale[0]} of {type(model).__name__}, which has the weights of the '
            'stage before, and none in the first round: take passes with dropout instead'
        )
    return names
