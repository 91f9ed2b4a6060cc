"""Cross pseudo supervision (Chen et al. 2021), alone or with CutMix."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ...utils.options import check_ramp, check_share, check_weight
from ..mixing.cutmix import BatchCutMix
from ..utils.labels import ground_truth
from ..utils.padding import valid_mask
from ..utils.pixel_losses import (
    cross_pseudo_loss,
    hard_labels,
    label_weight,
    masked_mean,
    pseudo_labels,
    weighted_cross_entropy,
)
from .checks import check_cutmix
from .semi_base import SemiSegmentor
from .structures import NetworkOutput, SemiBatch


@MODELS.register_module()
class CrossPseudoSupervision(SemiSegmentor):
    """Two differently initialised networks that teach each other by hard labels.

    Without ``cutmix``: cross entropy to the other's argmax on labelled and unlabelled images.
    With it: each network labels every unlabelled image and the next one of the batch, the
    labels are mixed as the images are, and only unlabelled images count.

    Args:
        weight: Weight of the loss after its ramp (public code: 6, or 5 with CutMix, on
            Cityscapes; 1.5 on VOC).
        cutmix: ``dict(num_boxes=3, area=(0.25, 0.5))`` or ``None``.
        ramp: Shares of training between which the weight rises linearly from 0.
        gamma: Weight a pixel by its labeller's confidence to this power; 0 (as published) counts
            every pixel alike.
        threshold: Least confidence of a pseudo-label (as published: 0).
        **kwargs: See :class:`SemiSegmentor`.
    """

    learners = ('student', 'friend')

    def __init__(
        self,
        weight: float,
        cutmix: dict | None = None,
        ramp: tuple[float, float] = (0.0, 0.1),
        gamma: float = 0.0,
        threshold: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.weight, self.cutmix = check_weight('weight', weight), check_cutmix(cutmix)
        self.cps_ramp, self.gamma = check_ramp('ramp', ramp), check_weight('gamma', gamma)
        self.threshold = check_share('threshold', threshold)

    @property
    def required_branches(self) -> tuple[str, ...]:
        return ('labelled', 'unlabelled')

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        images = inputs['unlabelled']
        valid = valid_mask(data_samples['unlabelled'], images)
        view = inputs.get('strong', images)
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'], view, valid)
        batch.manual = ground_truth(data_samples['unlabelled'])
        if self.cutmix is None:
            return batch
        mixed = BatchCutMix(images, **self.cutmix)
        batch.unlabelled, batch.valid = mixed(view), mixed(valid)
        batch.manual = mixed(batch.manual)
        batch.info = {}
        for name in self.learners:
            pseudo = pseudo_labels(self.predict_logits(name, images), valid)
            weight = label_weight(pseudo, self.gamma, self.threshold)
            batch.info[name] = mixed(pseudo.labels), mixed(weight)
        return batch

    def unsupervised_loss(
        self, outputs: dict[str, NetworkOutput], batch: SemiBatch
    ) -> dict[str, Tensor]:
        student, friend = outputs['student'].unlabelled, outputs['friend'].unlabelled
        agreement = hard_labels(student) == hard_labels(friend)
        stats = {'friend.agreement': masked_mean(agreement, batch.valid)}
        if self.cutmix is None:
            labelled = [
                self.upsample(output.logits[: len(batch.labelled)], student.shape[2:])
                for output in outputs.values()
            ]
            valid = valid_mask(batch.samples, batch.labelled)
            loss = cross_pseudo_loss(
                torch.cat((labelled[0], student)),
                torch.cat((labelled[1], friend)),
                torch.cat((valid, batch.valid)),
                self.gamma,
                self.threshold,
            )
        else:
            loss = weighted_cross_entropy(student, *batch.info['friend'])
            loss = loss + weighted_cross_entropy(friend, *batch.info['student'])
        return {'loss_cps': self.weight * self.ramp(self.cps_ramp) * loss, **stats}
