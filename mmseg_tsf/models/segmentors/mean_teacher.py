"""Mean teacher (Tarvainen & Valpola 2017), alone or with CutMix (French et al. 2020)."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ..mixing import BatchCutMix
from ..utils.pixel_losses import masked_mean, pseudo_labels
from .checks import check_ramp
from .semi_base import SemiSegmentor
from .structures import NetworkOutput, SemiBatch
from .unlabelled import valid_mask


@MODELS.register_module()
class MeanTeacher(SemiSegmentor):
    """The paper's MT and CutMix rows.

    Without ``cutmix``: mean squared difference of the student's and the teacher's probabilities
    on labelled and unlabelled images. With it: the teacher sees each unlabelled image and the
    next one of the batch, the student their mixture; the squared difference is summed over
    classes and scaled by the share of pixels on which the teacher is sure.

    Args:
        weight: Weight of the consistency loss; 100 for MT and 1 for CutMix in the public code.
        cutmix: ``dict(num_boxes=1, area=(0.5, 0.5))`` or ``None``.
        threshold: Confidence that counts as sure (CutMix only).
        ramp: Shares of training between which ``weight`` rises linearly from 0; none in the
            public code.
        **kwargs: See :class:`SemiSegmentor`.
    """

    has_teacher = True

    def __init__(
        self,
        weight: float,
        cutmix: dict | None = None,
        threshold: float = 0.97,
        ramp: tuple[float, float] = (0.0, 0.0),
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.weight, self.cutmix, self.threshold = weight, cutmix, threshold
        self.consistency_ramp = check_ramp(ramp)

    @property
    def required_branches(self) -> tuple[str, ...]:
        return ('labelled', 'unlabelled')

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        images = inputs['unlabelled']
        valid = valid_mask(data_samples['unlabelled'], images)
        student_view = inputs.get('strong', images)
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'], student_view, valid)
        if self.cutmix is None:
            logits = self.predict_logits('teacher', torch.cat((inputs['labelled'], images)))
            labelled_valid = valid_mask(batch.samples, batch.labelled)
            batch.info = dict(
                teacher=logits.softmax(dim=1), valid=torch.cat((labelled_valid, valid))
            )
            batch.pseudo = pseudo_labels(logits[len(inputs['labelled']) :], valid)
            return batch
        mixed = BatchCutMix(images, **self.cutmix)
        logits = mixed(self.predict_logits('teacher', images))
        batch.unlabelled, batch.valid = mixed(student_view), mixed(valid)
        batch.info = dict(teacher=logits.softmax(dim=1))
        batch.pseudo = pseudo_labels(logits, batch.valid)
        return batch

    def unsupervised_loss(
        self, outputs: dict[str, NetworkOutput], batch: SemiBatch
    ) -> dict[str, Tensor]:
        student, teacher = outputs['student'], batch.info['teacher']
        confidence = batch.pseudo.confidence
        sure = masked_mean(confidence >= self.threshold, batch.valid)
        stats = {'teacher.confidence': masked_mean(confidence, batch.valid), 'teacher.sure': sure}
        if self.cutmix is None:
            size = batch.labelled.shape[2:]
            logits = torch.cat(
                (self.upsample(student.logits[: len(batch.labelled)], size), student.unlabelled)
            )
            difference = (logits.softmax(dim=1) - teacher).square().mean(dim=1)
            loss = masked_mean(difference, batch.info['valid'])
        else:
            difference = (student.unlabelled.softmax(dim=1) - teacher).square().sum(dim=1)
            loss = masked_mean(difference, batch.valid) * sure
        weight = self.weight * self.ramp(self.consistency_ramp)
        return {'loss_consistency': weight * loss, **stats}
