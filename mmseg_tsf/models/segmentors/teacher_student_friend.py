"""Teacher-Student-Friend (TSF): the paper's semi-supervised framework."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor

from ...utils.options import check_ramp, check_share, check_weight
from ..utils.labels import hard_labels
from ..utils.pixel_losses import masked_mean
from .adaptive_equalization_learning import AdaptiveEqualizationLearning
from .batch import SemiBatch
from .labelling import Outputs


@MODELS.register_module()
class TeacherStudentFriend(AdaptiveEqualizationLearning):
    """AEL's teacher and student, and a friend that learns with the student (section 3.1).

    The friend is supervised by the labels and, through cross pseudo supervision on the mixed
    unlabelled images, by the student; the teacher never supervises it. Both learners see the
    same images, so a step costs two passes with gradient and one without.
    ``L = L_sup + weight * L_ts + cps_weight * L_cps`` (equation 4), each with its ramp.

    Args:
        cps_weight: Weight of the student-friend loss after its ramp (lambda_cps).
        cps_ramp: Shares of training between which ``cps_weight`` rises linearly from 0.
        cps_gamma: Weight a pixel by its labeller's confidence to this power; 0 (as in CPS)
            counts every pixel alike.
        cps_threshold: Least confidence of a student's or friend's pseudo-label.
        **kwargs: See :class:`AdaptiveEqualizationLearning`.
    """

    learners = ('student', 'friend')

    def __init__(
        self,
        cps_weight: float = 1.0,
        cps_ramp: tuple[float, float] = (0.0, 0.1),
        cps_gamma: float = 0.0,
        cps_threshold: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.cps_gamma = check_weight('cps_gamma', cps_gamma)
        self.cps_threshold = check_share('cps_threshold', cps_threshold)
        self.cps_weight = check_weight('cps_weight', cps_weight)
        self.cps_ramp = check_ramp('cps_ramp', cps_ramp)

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        losses = super().unsupervised_loss(outputs, batch)
        loss = self.cross_supervision(
            outputs, batch, ['unlabelled'], self.cps_gamma, self.cps_threshold
        )
        losses['loss_cps'] = self.cps_weight * self.ramp(self.cps_ramp) * loss
        view = batch.views['unlabelled']
        agreement = (
            hard_labels(outputs['friend']['unlabelled'].logits) == view.pseudo['teacher'].labels
        )
        losses['friend.agreement'] = masked_mean(agreement, view.valid)
        return losses
