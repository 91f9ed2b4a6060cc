"""Mean teacher (Tarvainen & Valpola 2017), alone or with CutMix (French et al. 2020)."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ...utils.options import check_ramp, check_share, check_weight
from ..mixing.cutmix import BatchCutMix
from ..utils.labels import ground_truth
from ..utils.padding import valid_mask
from ..utils.pixel_losses import IGNORE_INDEX, hard_labels, masked_mean
from .checks import check_cutmix
from .structures import NetworkOutput, SemiBatch
from .teacher_base import TeacherSegmentor


@MODELS.register_module()
class MeanTeacher(TeacherSegmentor):
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
        **kwargs: See :class:`TeacherSegmentor`.
    """

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
        valid = valid_mask(data_samples['unlabelled'], images)
        student_view = inputs.get('strong', images)
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'], student_view, valid)
        if self.cutmix is None or self.refinement_learns:
            view = self.teacher_pass(torch.cat((inputs['labelled'], images)))
            batch.teacher, view = view.split(len(inputs['labelled']))
        else:
            view = self.teacher_pass(images)
        pseudo, batch.stats = self.teacher_labels(view, data_samples['unlabelled'], valid)
        probs = as_refined(view.probs, pseudo.labels)
        batch.valid = valid & (pseudo.labels != IGNORE_INDEX)
        batch.manual = ground_truth(data_samples['unlabelled'])
        if self.cutmix is not None:
            mixed = BatchCutMix(images, **self.cutmix)
            probs, batch.unlabelled, batch.valid = map(mixed, (probs, student_view, batch.valid))
            pseudo = pseudo.map(mixed)
            batch.manual = mixed(batch.manual)
        batch.pseudo, batch.info = pseudo, dict(teacher=probs)
        return batch

    def unsupervised_loss(
        self, outputs: dict[str, NetworkOutput], batch: SemiBatch
    ) -> dict[str, Tensor]:
        losses = super().unsupervised_loss(outputs, batch)
        student, teacher = outputs['student'], batch.info['teacher']
        confidence = batch.pseudo.confidence
        sure = masked_mean(confidence >= self.threshold, batch.valid)
        stats = {'teacher.confidence': masked_mean(confidence, batch.valid), 'teacher.sure': sure}
        if self.cutmix is None:
            size = batch.labelled.shape[2:]
            labelled = self.upsample(student.logits[: len(batch.labelled)], size)
            logits = torch.cat((labelled, student.unlabelled))
            valid = torch.cat((valid_mask(batch.samples, batch.labelled), batch.valid))
            targets = torch.cat((batch.teacher.probs, teacher))
            difference = (logits.softmax(dim=1) - targets).square().mean(dim=1)
            loss = masked_mean(difference, valid)
        else:
            difference = (student.unlabelled.softmax(dim=1) - teacher).square().sum(dim=1)
            loss = masked_mean(difference, batch.valid) * sure
        weight = self.weight * self.ramp(self.consistency_ramp)
        return {**losses, 'loss_consistency': weight * loss, **stats}


def as_refined(probs: Tensor, labels: Tensor) -> Tensor:
    """The teacher's probabilities, certain of the label where that is not the teacher's own.

    Args:
        probs: ``(N, K, H, W)``.
        labels: ``(N, H, W)`` refined labels, 255 = none.

    Returns:
        Tensor: ``(N, K, H, W)``.
    """
    other = (labels != hard_labels(probs)) & (labels != IGNORE_INDEX)
    certain = torch.zeros_like(probs).scatter_(1, labels.clamp(max=probs.shape[1] - 1)[:, None], 1)
    return torch.where(other.unsqueeze(1), certain, probs)
