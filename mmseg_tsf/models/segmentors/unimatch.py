"""UniMatch (Yang et al. 2023) and UniMatch V2 (Yang et al. 2025)."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from ...utils.options import check_ramp, check_share, check_weight
from ..mixing import BatchCutMix, check_cutmix
from ..utils.labels import IGNORE_INDEX, PseudoLabels
from ..utils.pixel_losses import cross_entropy_over, masked_mean
from .batch import SemiBatch, View
from .labelling import Outputs
from .semi_base import SemiSegmentor

STRONG = ('strong', 'strong_2')
CUTMIX = dict(area=(0.02, 0.4), aspect=(0.3, 1 / 0.3), probability=0.5)


class StrongViews(SemiSegmentor):
    """What UniMatch and UniMatch V2 share: two strong views that one network's labels teach.

    A loss is the cross entropy of the pixels whose label is at least ``threshold`` sure, divided
    by the number of all valid pixels.

    Args:
        weight: Weight of the losses on unlabelled images, all together.
        threshold: Least confidence of a pseudo-label that teaches.
        cutmix: Options of :class:`BatchCutMix` with the neighbour in the batch, drawn for each
            strong view; ``None`` for none.
        ramp: Shares of training between which ``weight`` rises linearly from 0; none in the
            public code.
        **kwargs: See :class:`SemiSegmentor`.
    """

    def __init__(
        self,
        weight: float = 1.0,
        threshold: float = 0.95,
        cutmix: dict | None = CUTMIX,
        ramp: tuple[float, float] = (0.0, 0.0),
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.weight, self.cutmix = check_weight('weight', weight), check_cutmix(cutmix)
        self.threshold = check_share('threshold', threshold)
        self.strong_ramp = check_ramp('ramp', ramp)

    @property
    def required_branches(self) -> tuple[str, ...]:
        return ('labelled', 'unlabelled', *STRONG)

    def mixed(self, view: View) -> View:
        """CutMix of a view with its neighbours in the batch."""
        if self.cutmix is None:
            return view
        return view.map(BatchCutMix(view.images, **self.cutmix))

    def strong_loss(self, outputs: Outputs, batch: SemiBatch, branch: str) -> Tensor:
        """Loss of the student on one view, a scalar."""
        (teacher,) = self.labellers
        pseudo, valid = batch.views[branch].pseudo[teacher], batch.views[branch].valid
        sure = (pseudo.confidence >= self.threshold).float()
        return self.pseudo_label_loss(
            'student',
            teacher,
            [branch],
            outputs['student'][branch].logits,
            pseudo.labels,
            sure,
            lambda *args: cross_entropy_over(valid, *args),
        )

    def label_stats(self, pseudo: PseudoLabels, view: View) -> dict[str, Tensor]:
        """What to log of the labels of the weak view."""
        name = self.labellers[0]
        sure = pseudo.confidence >= self.threshold
        return {
            f'{name}.confidence': masked_mean(pseudo.confidence, view.valid),
            f'{name}.sure': masked_mean(sure & (pseudo.labels != IGNORE_INDEX), view.valid),
        }


@MODELS.register_module()
class UniMatch(StrongViews):
    """A student that labels weak views, and learns from its labels on three harder ones.

    Two strong views (branches ``strong`` and ``strong_2``) and one of perturbed features: the
    backbone's maps of the weak view with channels dropped. The first pass sees the labelled
    images and the weak view, and its labels teach the second pass over the strong views and
    their mixtures. ``L = L_sup + weight * (L_1 / 4 + L_2 / 4 + L_features / 2)``; the public code
    takes half of it, which the configs of its schedule do by the weights.

    Its code predicts partners of CutMix by a third pass in evaluation mode, on the same images
    augmented anew; here the partner is the neighbour in the batch, labelled in the first pass.

    Args:
        dropout: Share of the channels that are dropped for the view of perturbed features.
        **kwargs: See :class:`StrongViews`.
    """

    learners = labellers = ('student',)

    def __init__(self, dropout: float = 0.5, **kwargs) -> None:
        super().__init__(**kwargs)
        self.dropout = check_share('dropout', dropout)

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'])
        weak = View.of(inputs['unlabelled'], data_samples['unlabelled'])
        batch.views = dict(weak=weak, features=replace(weak, base='weak', perturb=self.drop))
        batch.later = {name: replace(weak, images=inputs[name]) for name in STRONG}
        return batch

    def drop(self, maps: list[Tensor]) -> list[Tensor]:
        """Feature maps ``(N, C, h, w)`` with channels dropped, each by a draw of its own."""
        return [F.dropout2d(own, self.dropout) for own in maps]

    def second_views(self, outputs: Outputs, batch: SemiBatch) -> dict[str, View]:
        weak = batch.views['weak']
        pseudo = self.learner_labels('student', outputs, batch, 'weak')
        batch.views['features'].pseudo = {'student': pseudo}
        batch.stats.update(self.label_stats(pseudo, weak))
        return {
            name: self.mixed(replace(view, pseudo={'student': pseudo}))
            for name, view in batch.later.items()
        }

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        weight = self.weight * self.ramp(self.strong_ramp)
        shares = dict(strong=0.25, strong_2=0.25, features=0.5)
        return {
            f'loss_{name}': share * weight * self.strong_loss(outputs, batch, name)
            for name, share in shares.items()
        }


@MODELS.register_module()
class UniMatchV2(StrongViews):
    """A mean teacher that labels weak views for two strong ones with complementary channels.

    On half of the images, one strong view keeps a random half of the channels, doubled, and the
    other view those that are left; feature maps of the same width share the draw.
    ``L = L_sup + weight * (L_1 + L_2) / 2``; the public code takes half of it.

    Args:
        complementary_dropout: Whether channels are dropped.
        **kwargs: See :class:`StrongViews`.
    """

    averages = {'teacher': 'student'}
    labellers = ('teacher',)

    def __init__(self, complementary_dropout: bool = True, **kwargs) -> None:
        super().__init__(**kwargs)
        self.complementary_dropout = complementary_dropout

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'])
        weak = View.of(inputs['unlabelled'], data_samples['unlabelled'])
        shown = self.labeller_view('teacher', weak.images, batch)
        pseudo, batch.stats = self.label('teacher', shown, weak.manual, weak.valid)
        batch.stats.update(self.label_stats(pseudo, weak))
        weak.pseudo['teacher'] = pseudo
        batch.views = {name: self.mixed(replace(weak, images=inputs[name])) for name in STRONG}
        if self.complementary_dropout:
            channels = ComplementaryChannels()
            batch.views['strong'].perturb = channels.kept
            batch.views['strong_2'].perturb = channels.left
        return batch

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        weight = self.weight * self.ramp(self.strong_ramp) / 2
        return {f'loss_{name}': weight * self.strong_loss(outputs, batch, name) for name in STRONG}


class ComplementaryChannels:
    """Two halves of the channels for two views of the same images, one draw for both.

    A random half of the images keeps all channels in both views.
    """

    def __init__(self) -> None:
        self._drawn: dict[int, Tensor] = {}
        self._whole: Tensor | None = None

    def kept(self, maps: list[Tensor]) -> list[Tensor]:
        """Feature maps ``(N, C, h, w)`` of the first view, channels times 0, 2 or 1."""
        return [own * self.factors(own) for own in maps]

    def left(self, maps: list[Tensor]) -> list[Tensor]:
        """Feature maps of the second view, with the other channels."""
        return [own * (2 - self.factors(own)) for own in maps]

    def factors(self, features: Tensor) -> Tensor:
        """``(N, C, 1, 1)`` factors of the first view for maps of this width."""
        num, width = features.shape[:2]
        if self._whole is None:
            order = torch.rand(num, device=features.device).argsort()
            self._whole = (order < num // 2).view(-1, 1, 1, 1)
        if width not in self._drawn:
            draw = torch.rand(num, width, 1, 1, device=features.device) < 0.5
            self._drawn[width] = (2 * draw.to(features.dtype)).masked_fill(self._whole, 1.0)
        return self._drawn[width]
