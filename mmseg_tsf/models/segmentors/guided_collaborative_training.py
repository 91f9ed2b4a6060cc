"""Guided collaborative training (GCT, Ke et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor
from torch.func import functional_call

from ...utils.options import check_ramp, check_share, check_weight
from ..decode_heads.flaw_detector import flaw_target, handled
from ..utils.labels import IGNORE_INDEX, ground_truth, valid_mask
from ..utils.pixel_losses import consistency_loss, masked_mean
from .batch import SemiBatch
from .labelling import Outputs
from .mean_teacher import as_refined
from .semi_base import SemiSegmentor

BRANCHES = ('labelled', 'unlabelled')


@MODELS.register_module()
class GuidedCollaborativeTraining(SemiSegmentor):
    """Two networks that learn from each other where a flaw detector finds the other one better.

    - Dynamic consistency: squared difference to the probabilities of the network with fewer flaws
      at a pixel, without gradient; a network keeps its own where both are as good or both bad.
    - Flaw correction: where both are bad, the detector's answer is pushed to 0, through the
      detector, whose weights stand still.
    - The detector learns, with an optimiser of its own, on labelled images, from predictions
      without gradient.

    All three need one pass of each network: the public code's three phases update disjoint
    weights from the same predictions, so one backward pass gives the same gradients.

    Args:
        weight: Weight of the dynamic consistency after its ramp.
        ramp: Shares of training between which ``weight`` rises by a sigmoid; 3 epochs of 20 in
            the public code.
        correction_weight: Weight of the flaw correction.
        detector_weight: Weight of the detector's own loss.
        threshold: Flaw from which on a prediction is bad (xi).
        detector: Config of the :class:`FlawDetector`; ``num_classes`` is filled in.
        optimizer: Config of the detector's optimiser.
        schedule: Configs of its parameter schedulers.
        **kwargs: See :class:`SemiSegmentor`.
    """

    learners = labellers = ('student', 'friend')

    def __init__(
        self,
        weight: float = 100.0,
        ramp: tuple[float, float] = (0.0, 0.15),
        correction_weight: float = 1.0,
        detector_weight: float = 10.0,
        threshold: float = 0.6,
        detector: dict | None = None,
        optimizer: dict | None = None,
        schedule: dict | Sequence[dict] = (),
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.weight = check_weight('weight', weight)
        self.correction_weight = check_weight('correction_weight', correction_weight)
        self.detector_weight = check_weight('detector_weight', detector_weight)
        self.threshold = check_share('threshold', threshold)
        self.consistency_ramp = check_ramp('ramp', ramp)
        detector = dict(type='FlawDetector', num_classes=self.num_classes, **(detector or {}))
        optimizer = optimizer or dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))
        self.attach('detector', detector, optimizer=optimizer, schedule=schedule)

    @property
    def required_branches(self) -> tuple[str, ...]:
        return BRANCHES

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        return SemiBatch.of(inputs, data_samples)

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        view = batch.views['unlabelled']
        images = torch.cat((batch.labelled, view.images))
        valid = torch.cat((valid_mask(batch.samples, batch.labelled), view.valid))
        probs = [
            torch.cat([outputs[name][key].probs for key in BRANCHES]) for name in self.learners
        ]
        flaws = self.flaws_of(torch.cat((images, images)), torch.cat(probs)).chunk(2)
        maps = [handled(own.detach()) for own in flaws]
        bad = [own > self.threshold for own in maps]
        both = bad[0] & bad[1] & valid
        maps = [own.masked_fill(is_bad, 1.0) for own, is_bad in zip(maps, bad, strict=True)]
        consistency = self.dynamic_consistency(outputs, batch, maps, valid)
        correction = sum((own.square() * both).sum() for own in flaws) / valid.sum().clamp(min=1)
        losses = {
            'loss_consistency': self.weight
            * self.ramp(self.consistency_ramp, 'sigmoid')
            * consistency,
            'loss_correction': self.correction_weight * correction,
            'loss_detector': self.detector_weight * self.detector_loss(batch, probs),
        }
        for name, own in zip(self.learners, bad, strict=True):
            losses[f'{name}.flaws'] = masked_mean(own, valid)
        return losses

    def flaws_of(self, images: Tensor, probs: Tensor) -> Tensor:
        """Flaw maps ``(N, H, W)``; gradient reaches the probabilities, not the detector."""
        detector = self.part('detector')
        still = {name: weight.detach() for name, weight in detector.named_parameters()}
        return functional_call(detector, still, (images, probs))

    def dynamic_consistency(
        self, outputs: Outputs, batch: SemiBatch, maps: list[Tensor], valid: Tensor
    ) -> Tensor:
        """Loss of both networks, a scalar.

        Args:
            outputs: What the networks show.
            batch: The step's batch.
            maps: ``(N, H, W)`` flaws of each network, bad ones set to 1.
            valid: ``(N, H, W)`` bool, False in the padding.
        """
        view, num = batch.views['unlabelled'], len(batch.labelled)
        targets, has_label = [], []
        for name in self.learners:
            pseudo = self.learner_labels(name, outputs, batch, 'unlabelled')
            shown = [outputs[name][key].probs.detach() for key in BRANCHES]
            targets.append(torch.cat((shown[0], as_refined(shown[1], pseudo.labels))))
            has_label.append(torch.cat((valid[:num], pseudo.labels != IGNORE_INDEX)))
        loss = 0.0
        for own, (learner, other) in enumerate((self.learners, self.learners[::-1])):
            better = maps[1 - own] < maps[own]
            taken = torch.where(better.unsqueeze(1), targets[1 - own], targets[own])
            known = torch.where(better, has_label[1 - own], has_label[own]) & valid
            # where the network keeps its own target, nothing is taught but corrected labels
            manual = torch.cat((torch.zeros_like(valid[:num]), view.manual != IGNORE_INDEX))
            loss = loss + self.pseudo_label_loss(
                learner,
                other,
                BRANCHES,
                torch.cat([outputs[learner][key].logits for key in BRANCHES]),
                torch.where(manual.unsqueeze(1), targets[own], taken),
                known,
                consistency_loss,
            )
        return loss

    def detector_loss(self, batch: SemiBatch, probs: list[Tensor]) -> Tensor:
        """Loss of the detector on the labelled images, mean of both networks."""
        labels, num = ground_truth(batch.samples), len(batch.labelled)
        predicted = torch.cat([own[:num].detach() for own in probs])
        labels = torch.cat((labels, labels))
        found = self.part('detector')(torch.cat((batch.labelled, batch.labelled)), predicted)
        target = flaw_target(predicted, labels)
        return masked_mean((found - target).square(), labels != IGNORE_INDEX)
