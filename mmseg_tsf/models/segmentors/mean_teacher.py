"""Mean teacher (Tarvainen & Valpola 2017), alone or with CutMix (French et al. 2020)."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ...utils.options import check_ramp, check_share, check_weight
from ..mixing import BatchCutMix, check_cutmix
from ..utils.labels import IGNORE_INDEX, hard_labels, valid_mask
from ..utils.pixel_losses import consistency_loss, masked_mean
from .batch import SemiBatch, View
from .labelling import Outputs
from .semi_base import SemiSegmentor


@MODELS.register_module()
class MeanTeacher(SemiSegmentor):
    """The paper's MT and CutMix rows.

    Without ``cutmix``: mean squared difference of the student's and the teacher's probabilities
    on labelled and unlabelled images. With it: the teacher sees each unlabelled image and its
    neighbour in the batch, the student their mixture; the squared difference is summed over
    classes and scaled by the share of pixels on which the teacher is sure.

    Args:
        weight: Weight of the consistency loss; 100 for MT and 1 for CutMix in the public code.
        cutmix: ``dict(num_boxes=1, area=(0.5, 0.5))`` or ``None``.
        threshold: Confidence that counts as sure (CutMix only).
        ramp: Shares of training between which ``weight`` rises linearly from 0; none in the
            public code.
        **kwargs: See :class:`SemiSegmentor`.
    """

    averages = {'teacher': 'student'}
    labellers = ('teacher',)

    def __init__(
        self,
        weight: float,
        cutmix: dict | None = None,
        threshold: float = 0.97,
        ramp: tuple[float, float] = (0.0, 0.0),
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.weight, self.cutmix = check_weight('weight', weight), check_cutmix(cutmix)
        self.threshold = check_share('threshold', threshold)
        self.consistency_ramp = check_ramp('ramp', ramp)

    @property
    def required_branches(self) -> tuple[str, ...]:
        return ('labelled', 'unlabelled')

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        images = inputs['unlabelled']
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'])
        view = View.of(inputs.get('strong', images), data_samples['unlabelled'])
        shown = self.labeller_view('teacher', images, batch, with_labelled=self.cutmix is None)
        pseudo, batch.stats = self.label('teacher', shown, view.manual, view.valid)
        view.pseudo['teacher'] = pseudo
        view.targets['teacher'] = as_refined(shown.probs, pseudo.labels)
        view.valid = view.valid & (pseudo.labels != IGNORE_INDEX)
        if self.cutmix is not None:
            view = view.map(BatchCutMix(images, **self.cutmix))
        batch.views['unlabelled'] = view
        return batch

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        student, view = outputs['student'], batch.views['unlabelled']
        confidence = view.pseudo['teacher'].confidence
        sure = masked_mean(confidence >= self.threshold, view.valid)
        branches, targets, valid = ['unlabelled'], view.targets['teacher'], view.valid
        logits = student['unlabelled'].logits
        if self.cutmix is None:
            branches = ['labelled', 'unlabelled']
            logits = torch.cat((student['labelled'].logits, logits))
            targets = torch.cat((batch.labellers['teacher'].probs, targets))
            valid = torch.cat((valid_mask(batch.samples, batch.labelled), valid))
        loss = self.pseudo_label_loss(
            'student', 'teacher', branches, logits, targets, valid, self.difference
        )
        if self.cutmix is not None:
            loss = loss * sure
        return {
            'loss_consistency': self.weight * self.ramp(self.consistency_ramp) * loss,
            'teacher.confidence': masked_mean(confidence, view.valid),
            'teacher.sure': sure,
        }

    def difference(self, logits: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
        """Squared difference of probabilities: mean over classes, or their sum with CutMix."""
        return consistency_loss(logits, targets, valid, sum_classes=self.cutmix is not None)


def as_refined(probs: Tensor, labels: Tensor) -> Tensor:
    """A network's probabilities, certain of the label where that is not the network's own.

    Args:
        probs: ``(N, K, H, W)``.
        labels: ``(N, H, W)`` refined labels, 255 = none.

    Returns:
        Tensor: ``(N, K, H, W)``.
    """
    other = (labels != hard_labels(probs)) & (labels != IGNORE_INDEX)
    certain = torch.zeros_like(probs).scatter_(1, labels.clamp(max=probs.shape[1] - 1)[:, None], 1)
    return torch.where(other.unsqueeze(1), certain, probs)
