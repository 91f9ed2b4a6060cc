"""Adaptive equalisation learning (AEL, Hu et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from torch import Tensor

from ...utils.options import check_classes, check_ramp, check_share, check_weight
from ..mixing import copy_paste
from ..mixing.adaptive_cutmix import component_boxes
from ..mixing.confidence_bank import ClassBank, ConfidenceBank
from ..mixing.copy_paste import draw_paste_classes
from ..mixing.cutmix import BatchCutMix, PairCutMix, box_mask, random_boxes
from ..utils.labels import (
    PseudoLabels,
    ground_truth,
    hard_labels,
    label_weight,
    pseudo_labels,
    to_device,
    valid_mask,
)
from ..utils.pixel_losses import masked_mean
from ..utils.views import NetworkView, as_class_logits
from .batch import SemiBatch, View
from .labelling import Outputs
from .semi_base import SemiSegmentor


@MODELS.register_module()
class AdaptiveEqualizationLearning(SemiSegmentor):
    """A mean teacher whose mixing, sampling and weighting favour the classes that lag behind.

    Each part is a switch. Randomness comes from torch's global generators, which
    :class:`~mmseg_tsf.engine.SemiHook` seeds at every iteration.

    Args:
        weight: Weight of the teacher-student loss (lambda_ts).
        ramp: Shares of training between which ``weight`` rises linearly from 0. AEL has no
            ramp; on a short schedule note that the loss is normalised by the pixel weights, so an
            untrained teacher's labels count in full, however unsure it is.
        adaptive_cutmix: Partner by class from the class bank, box around one of its components
            (needs ``AdaptivePartnerHook``); otherwise a random box of the batch's next image.
        adaptive_copy_paste: Paste classes of low confidence from the ``paste`` branch.
        equalization_sampling: Keep a pixel with a chance that falls with the confidence of the
            class that the student predicts.
        dynamic_reweighting: Weight a pixel by the teacher's confidence to the power ``gamma``.
        consistency_on_labelled: Apply the teacher-student loss to the labelled images too, as
            AEL's code does, at the price of a teacher pass on them.
        gamma: Exponent of ``dynamic_reweighting``.
        threshold: Least confidence of a pseudo-label (AEL: 0 on Cityscapes, 0.7 on VOC).
        momentum: Momentum of the confidence bank.
        num_paste_classes: Draws per step for copy-paste.
        paste_exclude: Classes never pasted.
        min_component: Smallest component that gives a box, as a share of the crop.
        min_presence: Smallest share of a crop that counts as showing a class.
        **kwargs: See :class:`SemiSegmentor`.
    """

    averages = {'teacher': 'student'}
    labellers = ('teacher',)

    def __init__(
        self,
        weight: float = 1.0,
        ramp: tuple[float, float] = (0.0, 0.0),
        adaptive_cutmix: bool = True,
        adaptive_copy_paste: bool = True,
        equalization_sampling: bool = True,
        dynamic_reweighting: bool = True,
        consistency_on_labelled: bool = False,
        gamma: float = 2.0,
        threshold: float = 0.0,
        momentum: float = 0.999,
        num_paste_classes: int = 3,
        paste_exclude: Sequence[int] = (),
        min_component: float = 0.005,
        min_presence: float = 0.01,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.weight, self.ts_ramp = check_weight('weight', weight), check_ramp('ramp', ramp)
        self.adaptive_cutmix = adaptive_cutmix
        self.adaptive_copy_paste = adaptive_copy_paste
        self.equalization_sampling = equalization_sampling
        self.dynamic_reweighting = dynamic_reweighting
        self.consistency_on_labelled = consistency_on_labelled
        self.gamma = check_weight('gamma', gamma)
        self.threshold = check_share('threshold', threshold)
        self.num_paste_classes = num_paste_classes
        self.paste_exclude = check_classes('paste_exclude', paste_exclude, self.num_classes)
        self.min_component = check_share('min_component', min_component)
        momentum = check_share('momentum', momentum)
        self.confidence_bank = ConfidenceBank(self.num_classes, momentum)
        self.class_bank = ClassBank(self.num_classes, check_share('min_presence', min_presence))

    @property
    def required_branches(self) -> tuple[str, ...]:
        branches = ['labelled', 'unlabelled']
        branches += ['partner'] if self.adaptive_cutmix else []
        branches += ['paste'] if self.adaptive_copy_paste else []
        return tuple(branches)

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        labelled, samples = inputs['labelled'], data_samples['labelled']
        if self.adaptive_copy_paste:
            labelled = self.paste_classes(inputs, data_samples)
        batch = SemiBatch(labelled, samples)
        images, others = inputs['unlabelled'], data_samples['unlabelled']
        strong = inputs.get('strong', images)
        if self.adaptive_cutmix:
            images = torch.cat((images, inputs['partner']))
            others = others + data_samples['partner']
            strong = torch.cat((strong, inputs.get('partner_strong', inputs['partner'])))
        shown = self.labeller_view('teacher', images, batch, self.consistency_on_labelled)
        view = View.of(strong, others)
        pseudo, batch.stats = self.label('teacher', shown, view.manual, view.valid)
        view.pseudo['teacher'] = pseudo
        if self.adaptive_cutmix:
            mixed = self.adaptive_mixer(shown, pseudo, others, view.valid)
        else:
            mixed = BatchCutMix(images)
        batch.views['unlabelled'] = view.map(mixed)
        return batch

    def paste_classes(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> Tensor:
        """Adaptive copy-paste: returns the images and replaces the samples' ground truth."""
        samples = data_samples['labelled']
        classes = draw_paste_classes(
            self.confidence_bank.confidence, self.num_paste_classes, self.paste_exclude
        )
        images, labels = copy_paste(
            inputs['labelled'],
            ground_truth(samples),
            inputs['paste'],
            ground_truth(data_samples['paste']),
            classes,
        )
        for sample, label in zip(samples, labels, strict=True):
            sample.gt_sem_seg = PixelData(data=label.unsqueeze(0))
        return images

    @torch.no_grad()
    def adaptive_mixer(
        self, view: NetworkView, pseudo: PseudoLabels, samples: list, valid: Tensor
    ) -> PairCutMix:
        """Notes what the teacher sees, and boxes a component of each partner's class.

        Args:
            view: The teacher's view of the unlabelled images and, after them, their partners.
            pseudo: Its labels of both.
            samples: Data samples of both.
            valid: ``(2B, H, W)`` bool.

        Returns:
            PairCutMix: Pastes maps of the partners into those of the images.
        """
        num = len(samples) // 2
        indices = [sample.metainfo['pool_idx'] for sample in samples]
        self.class_bank.update(pseudo.labels, to_device(indices, valid))
        boxes = self.partner_boxes(view.grid_logits[num:], valid[num:], samples[num:])
        return PairCutMix(box_mask(boxes, valid.shape[1:]))

    def partner_boxes(self, logits: Tensor, valid: Tensor, samples: list) -> Tensor:
        """Boxes ``(N, 1, 4)`` around a component of each partner's class, else random ones.

        Components are found on the decode head's grid; the padding belongs to no class.
        """
        labels = hard_labels(as_class_logits(logits))
        inside = valid[:, None].float()
        inside = torch.nn.functional.interpolate(inside, labels.shape[1:]).squeeze(1) > 0
        labels = labels.masked_fill(~inside, self.num_classes)
        classes = to_device([sample.metainfo['cutmix_class'] for sample in samples], logits)
        boxes, found = component_boxes(labels, classes, self.min_component)
        fallback = random_boxes(len(labels), device=logits.device)
        return torch.where(found.view(-1, 1, 1), boxes, fallback)

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        view, shown = batch.views['unlabelled'], outputs['student']
        pseudo, logits = view.pseudo['teacher'], shown['unlabelled'].logits
        loss, weight = self.teacher_student_loss('unlabelled', logits, pseudo)
        labelled = shown['labelled'].logits
        if self.consistency_on_labelled:
            valid = valid_mask(batch.samples, batch.labelled)
            own = pseudo_labels(batch.labellers['teacher'].logits, valid)
            loss = loss + self.teacher_student_loss('labelled', labelled, own)[0]
        self.confidence_bank.update(labelled.detach(), ground_truth(batch.samples))
        agreement = hard_labels(logits) == pseudo.labels
        return {
            'loss_ts': self.weight * self.ramp(self.ts_ramp) * loss,
            'teacher.confidence': masked_mean(pseudo.confidence, view.valid),
            'teacher.pixel_weight': masked_mean(weight, view.valid),
            'student.agreement': masked_mean(agreement, view.valid),
        }

    def teacher_student_loss(
        self, branch: str, logits: Tensor, pseudo: PseudoLabels
    ) -> tuple[Tensor, Tensor]:
        """Cross entropy to the teacher's labels (paper equation 2), sampled and weighted.

        Args:
            branch: Name of the branch whose images these are.
            logits: ``(N, K, H, W)`` of the student.
            pseudo: Labels that the teacher gave on the same images.

        Returns:
            tuple[Tensor, Tensor]: Scalar loss and the pixel weights ``(N, H, W)``.
        """
        gamma = self.gamma if self.dynamic_reweighting else 0.0
        weight = label_weight(pseudo, gamma, self.threshold)
        if self.equalization_sampling:
            rate = self.confidence_bank.sampling_rate()[hard_labels(logits)]
            weight = weight * (torch.rand_like(rate) < rate)
        loss = self.pseudo_label_loss('student', 'teacher', [branch], logits, pseudo.labels, weight)
        return loss, weight
