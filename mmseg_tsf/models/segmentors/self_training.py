"""Self-training in generations, the training of S4AL+ (Rangnekar et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from torch import Tensor

from ...utils.errors import UserError
from ...utils.options import check_count, check_share
from ..mixing.cutmix import box_mask
from ..utils.labels import IGNORE_INDEX
from ..utils.pixel_losses import cross_entropy_over, masked_mean
from ..utils.views import NetworkView, upsample
from .batch import SemiBatch, View
from .labelling import Outputs
from .semi_base import SemiSegmentor


@MODELS.register_module()
class SelfTraining(SemiSegmentor):
    """A student that learns from the labels of the student of the stage before.

    Train it with ``ActiveLearningLoop``: each of its stages is a generation, with ``start='fresh'``
    one that begins with the initial weights. In the first generation the student learns from
    labelled images alone. Where the next one begins, the teacher takes the student's weights, and
    stands still until that one ends. Its labels are those of the mean logits over several scales,
    on the weak view; the student sees the branch ``strong``. Labels of at least ``threshold``
    confidence and manual pixels teach, all alike. The loss is one mean over the labelled and the
    unlabelled pixels, in which pixels without a label count as 0.

    It is the training of S4AL+, whose code is public; S4AL, its predecessor, has a mean teacher and
    no public code. That code labels each whole image once in a generation; here crops are labelled
    when they are trained on. Its batch has two labelled and four unlabelled images; here there are
    equally many, and ``unlabelled_share`` weighs them.

    Args:
        scales: Scales of the images whose logits are averaged.
        threshold: Least confidence of a pseudo-label that teaches.
        unlabelled_share: Share of the unlabelled images in the loss, in [0, 1).
        cutout: ``dict(size=50, probability=0.5)``: side in pixels of a square in each unlabelled
            image that is hidden and teaches nothing, and the share of the images that have one;
            ``None`` for none.
        **kwargs: See :class:`SemiSegmentor`.

    Raises:
        UserError: An option is wrong.
    """

    averages = {'teacher': 'student'}
    snapshots = ('teacher',)
    labellers = ('student', 'teacher')  # the student's labels are the next teacher's

    def __init__(
        self,
        scales: Sequence[float] = (0.5, 1.0, 2.0),
        threshold: float = 0.7,
        unlabelled_share: float = 2 / 3,
        cutout: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.scales = _check_scales(scales, needs_features=bool(self.refinements))
        self.threshold = check_share('threshold', threshold)
        self.unlabelled_share = check_share('unlabelled_share', unlabelled_share)
        self.cutout = _check_cutout(cutout)

    @property
    def required_branches(self) -> tuple[str, ...]:
        return ('labelled', 'unlabelled', 'strong')

    def _resolve_average_mode(self, mode: str) -> str:
        if mode == 'train':
            raise UserError(
                f"average_mode='train' would move the statistics of {type(self).__name__}'s "
                "teacher, which stands still: leave it at 'auto'"
            )
        super()._resolve_average_mode(mode)
        return 'eval'

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'])
        if not self.has_snapshots:
            return batch
        weak = View.of(inputs['unlabelled'], data_samples['unlabelled'])
        shown = self.teacher_view(weak.images)
        pseudo, batch.stats = self.label('teacher', shown, weak.manual, weak.valid)
        view = replace(weak, images=inputs['strong'], pseudo={'teacher': pseudo})
        batch.views['unlabelled'] = view if self.cutout is None else cut_out(view, **self.cutout)
        return batch

    def teacher_view(self, images: Tensor) -> NetworkView:
        """What the teacher shows of images ``(N, 3, H, W)``, its logits averaged over the scales.

        Features are those of scale 1, where it is among the scales.
        """
        size, logits, features = tuple(images.shape[2:]), [], []
        for scale in self.scales:
            own = tuple(max(1, round(scale * side)) for side in size)
            scaled = images if own == size else resize(images, own, mode='bilinear')
            shown = self.view('teacher', scaled)
            logits.append(upsample(shown.grid_logits, size, shown.align_corners))
            features = shown.features if scale == 1 else features
        view = NetworkView(shown.grid_logits, features, size, shown.align_corners)
        view.logits = sum(logits) / len(logits)
        return view

    def supervised_loss(
        self, name: str, output: dict[str, NetworkView], batch: SemiBatch
    ) -> dict[str, Tensor]:
        """MMSeg's losses on the labelled images, by their share once there is a teacher."""
        losses = super().supervised_loss(name, output, batch)
        share = 1 - self.unlabelled_share if self.has_snapshots else 1.0
        return {key: share * value if 'loss' in key else value for key, value in losses.items()}

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        if not self.has_snapshots:
            return {}
        view = batch.views['unlabelled']
        pseudo = view.pseudo['teacher']
        sure = (pseudo.labels != IGNORE_INDEX) & (pseudo.confidence >= self.threshold)
        loss = self.pseudo_label_loss(
            'student',
            'teacher',
            ['unlabelled'],
            outputs['student']['unlabelled'].logits,
            pseudo.labels,
            sure.float(),
            partial(cross_entropy_over, view.valid),
        )
        return {
            'loss_unlabelled': self.unlabelled_share * loss,
            'teacher.confidence': masked_mean(pseudo.confidence, view.valid),
            'teacher.sure': masked_mean(sure, view.valid),
        }


def cut_out(view: View, size: int, probability: float = 0.5) -> View:
    """Hides a square in some images of a view (CutOut; DeVries & Taylor 2017).

    Its centre is drawn uniformly, and what lies outside of the image is cut off. Hidden pixels are
    0 in the images, the mean of preprocessed ones, and have no label.

    Args:
        view: Images and their labels.
        size: Side of the square in pixels.
        probability: Share of the images that have one.
    """
    images, (height, width) = view.images, view.images.shape[2:]
    row, column, draw = torch.rand(3, len(images), 1, device=images.device)
    down, across = size / 2 / height, size / 2 / width
    boxes = torch.stack((row - down, column - across, row + down, column + across), dim=-1)
    hidden = box_mask(boxes, (height, width)) & (draw < probability).unsqueeze(-1)
    pseudo = {
        name: replace(
            own,
            labels=own.labels.masked_fill(hidden, IGNORE_INDEX),
            confidence=own.confidence.masked_fill(hidden, 0.0),
        )
        for name, own in view.pseudo.items()
    }
    return replace(
        view,
        images=images.masked_fill(hidden.unsqueeze(1), 0.0),
        manual=view.manual.masked_fill(hidden, IGNORE_INDEX),
        pseudo=pseudo,
    )


def _check_scales(scales: Sequence[float], needs_features: bool) -> tuple[float, ...]:
    is_list = isinstance(scales, Sequence) and len(scales) > 0
    if not is_list or not all(isinstance(s, int | float) and 0 < s < math.inf for s in scales):
        raise UserError(f'scales={scales!r} must be a list of positive numbers: (1.0,) for one')
    if needs_features and 1 not in scales:
        raise UserError(
            f'scales={tuple(scales)} has no 1, of which error_head and refiner take the features: '
            'add it'
        )
    return tuple(scales)


def _check_cutout(cutout: dict | None) -> dict | None:
    if cutout is None:
        return None
    if not isinstance(cutout, dict) or not {'size'} <= set(cutout) <= {'size', 'probability'}:
        raise UserError(f'cutout={cutout!r} must be dict(size=50, probability=0.5) or None')
    check_count('cutout.size', cutout['size'])
    probability = cutout.get('probability', 0.5)
    if not isinstance(probability, int | float) or not 0 < probability <= 1:
        raise UserError(f'cutout.probability={probability!r} must lie in (0, 1]')
    return cutout
