"""Cross-consistency training (CCT, Ouali et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ...utils.errors import UserError
from ...utils.options import check_classes, check_ramp, check_weight
from ..mixing import add_noise, adversarial_noise, drop_active, drop_channels, erase_objects
from ..utils.grid import resize_nearest
from ..utils.labels import IGNORE_INDEX
from ..utils.pixel_losses import consistency_loss
from ..utils.views import NetworkView, as_class_logits, upsample
from .batch import SemiBatch
from .labelling import Outputs
from .mean_teacher import as_refined
from .semi_base import SemiSegmentor

FEATURES = 'decode_head.conv_seg:input'
"""What the auxiliary decoders read: the map that the decode head classifies."""
DECODERS = dict(dropout=2, cutout=2, context=2, objects=2, feature_drop=2, feature_noise=2)


@MODELS.register_module()
class CrossConsistencyTraining(SemiSegmentor):
    """Auxiliary decoders that see perturbed features, and agree with the main one.

    Each auxiliary decoder is a 1x1 convolution on the map that the decode head classifies, as in
    the DeepLabV3+ port of the public code. The loss is the mean over the decoders of the mean
    squared difference to the main decoder's probabilities, which carry no gradient, on unlabelled
    images. The decoders are not needed at test time.

    ========================= ==================================================================
    perturbation              what is changed
    ========================= ==================================================================
    ``dropout``               half of the channels are dropped
    ``cutout``                in each foreground object a box of 0.4 times its sides is erased
    ``context``               the background is erased
    ``objects``               the foreground is erased
    ``feature_drop``          the most active places are erased
    ``feature_noise``         every value is multiplied by 1 + U(-0.3, 0.3)
    ``vat``                   adversarial noise of norm 2 is added
    ========================= ==================================================================

    Args:
        background: Class ids that count as background for ``cutout``, ``context`` and ``objects``
            (the public code takes class 0, which is road in Cityscapes).
        weight: Weight of the consistency loss; 30 in the public code.
        ramp: Shares of training between which ``weight`` rises by a sigmoid (0 to 0.1 in the
            original code, none in the port).
        decoders: Number of auxiliary decoders by perturbation.
        at_grid: Whether predictions are compared on the grid of the decode head and not at the
            size of the images, which takes a fraction of the memory: differences within a cell
            of the grid do not count then.
        **kwargs: See :class:`SemiSegmentor`.

    Raises:
        UserError: A perturbation is unknown, or there is no decoder.
    """

    learners = labellers = ('student',)
    taps = (FEATURES,)

    def __init__(
        self,
        background: Sequence[int],
        weight: float = 30.0,
        ramp: tuple[float, float] = (0.0, 0.1),
        decoders: dict[str, int] = DECODERS,
        at_grid: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.background = check_classes('background', background, self.num_classes)
        self.weight, self.at_grid = check_weight('weight', weight), at_grid
        self.consistency_ramp = check_ramp('ramp', ramp)
        unknown = sorted(set(decoders) - {*DECODERS, 'vat'})
        if unknown or not sum(decoders.values()):
            problem = f'has the unknown {unknown[0]!r}' if unknown else 'has no decoder'
            raise UserError(
                f'decoders={decoders} {problem}: give numbers of {", ".join(DECODERS)} or vat'
            )
        self.kinds = [kind for kind, number in decoders.items() for _ in range(number)]
        classifier = self.student.decode_head.conv_seg
        shape = classifier.in_channels, classifier.out_channels
        self.attach('decoders', nn.ModuleList(nn.Conv2d(*shape, 1) for _ in self.kinds))

    @property
    def required_branches(self) -> tuple[str, ...]:
        return ('labelled', 'unlabelled')

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        return SemiBatch.of(inputs, data_samples)

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        shown, view = outputs['student']['unlabelled'], batch.views['unlabelled']
        pseudo = self.learner_labels('student', outputs, batch, 'unlabelled')
        targets = as_refined(shown.probs.detach(), pseudo.labels)
        valid = view.valid & (pseudo.labels != IGNORE_INDEX)
        size = shown.grid_logits.shape[2:] if self.at_grid else shown.size
        if self.at_grid:
            corners = self.align_corners('student')
            targets = F.interpolate(targets, size, mode='bilinear', align_corners=corners)
            valid = resize_nearest(valid, size)
        losses = [
            self.pseudo_label_loss(
                'student',
                'student',
                ['unlabelled'],
                self._at(size, logits),
                targets,
                valid,
                consistency_loss,
            )
            for logits in self.auxiliary_logits(shown, view.valid)
        ]
        weight = self.weight * self.ramp(self.consistency_ramp, 'sigmoid')
        return {'loss_consistency': weight * torch.stack(losses).mean()}

    def auxiliary_logits(self, shown: NetworkView, valid: Tensor) -> list[Tensor]:
        """Logits ``(N, K, h, w)`` of every auxiliary decoder, from features perturbed anew.

        Args:
            shown: What the student shows of unlabelled images.
            valid: ``(N, H, W)`` bool, False in the padding.
        """
        features = shown.tapped[FEATURES]
        own = as_class_logits(shown.grid_logits.detach())
        background = torch.tensor(self.background, device=own.device)
        foreground = resize_nearest(~torch.isin(own.argmax(dim=1), background), features.shape[2:])
        inside = resize_nearest(valid, features.shape[2:])
        objects, scale = foreground & inside, shown.size[0] / features.shape[2]
        perturbations: dict[str, Callable[[Tensor, nn.Module], Tensor]] = dict(
            dropout=lambda z, _: drop_channels(z),
            cutout=lambda z, _: erase_objects(z, objects, scale),
            context=lambda z, _: z * foreground[:, None],
            objects=lambda z, _: z * ~foreground[:, None],
            feature_drop=lambda z, _: drop_active(z, inside),
            feature_noise=lambda z, _: add_noise(z),
            vat=lambda z, decoder: (
                z
                + adversarial_noise(
                    [z], lambda maps: as_class_logits(decoder(maps[0])), own.softmax(dim=1), valid
                )[0]
            ),
        )
        return [
            decoder(perturbations[kind](features, decoder))
            for kind, decoder in zip(self.kinds, self.part('decoders'), strict=True)
        ]

    def _at(self, size: tuple[int, int], logits: Tensor) -> Tensor:
        if self.at_grid:
            return as_class_logits(logits.float())
        return upsample(logits, size, self.align_corners('student'))
