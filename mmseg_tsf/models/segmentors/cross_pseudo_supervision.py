"""Cross pseudo supervision (Chen et al. 2021), alone or with CutMix."""

from __future__ import annotations

from mmseg.registry import MODELS
from mmseg.utils import add_prefix
from torch import Tensor

from ...utils.options import check_ramp, check_share, check_weight
from ..mixing import BatchCutMix, check_cutmix
from ..utils.labels import hard_labels, label_weight
from ..utils.pixel_losses import masked_mean
from .batch import SemiBatch, View
from .labelling import Outputs
from .semi_base import SemiSegmentor


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

    learners = labellers = ('student', 'friend')

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
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'])
        view = View.of(inputs.get('strong', images), data_samples['unlabelled'])
        if self.cutmix is not None:
            mixed = BatchCutMix(images, **self.cutmix)
            for name in self.learners:
                shown = self.view(name, images)
                view.pseudo[name], stats = self.label(name, shown, view.manual, view.valid)
                batch.stats.update(add_prefix(stats, name))
            view = view.map(mixed)
        batch.views['unlabelled'] = view
        return batch

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        view, (first, second) = batch.views['unlabelled'], self.learners
        if self.cutmix is None:
            branches = ('labelled', 'unlabelled')
            loss = self.cross_supervision(outputs, batch, branches, self.gamma, self.threshold)
        else:
            loss = 0.0
            for learner, teacher in ((first, second), (second, first)):
                pseudo = view.pseudo[teacher]
                loss = loss + self.pseudo_label_loss(
                    learner,
                    teacher,
                    ['unlabelled'],
                    outputs[learner]['unlabelled'].logits,
                    pseudo.labels,
                    label_weight(pseudo, self.gamma, self.threshold),
                )
        labels = [hard_labels(outputs[name]['unlabelled'].logits) for name in self.learners]
        return {
            'loss_cps': self.weight * self.ramp(self.cps_ramp) * loss,
            f'{second}.agreement': masked_mean(labels[0] == labels[1], view.valid),
        }
