"""Supervised learning with a difficulty branch, which DEAL's query reads (Xie et al. 2020)."""

from __future__ import annotations

from mmseg.registry import MODELS
from torch import Tensor

from ..decode_heads.difficulty_branch import DifficultyBranch, difficulty_loss
from ..utils.labels import IGNORE_INDEX, ground_truth, hard_labels
from ..utils.views import NetworkView, as_class_logits
from .batch import SemiBatch
from .labelling import LABELLED
from .semi_base import SupervisedOnly


@MODELS.register_module()
class DifficultyAwareLearning(SupervisedOnly):
    """One network and a branch that learns where the network is wrong.

    The branch reads the logits of the decode head with their gradient, so its loss also trains
    the network, beside MMSeg's supervised losses. It is saved with the network as its part
    ``'difficulty'``, is not needed for predictions, and gives :class:`DEALQuery` its scores.

    Args:
        size: Grid of the branch, see :class:`DifficultyBranch`.
        attention: Whether the branch has its probability attention. The paper's branch has it;
            the public code also has a switch for it, which is off by default.
        **kwargs: See :class:`SemiSegmentor`.

    Raises:
        UserError: ``size`` is no pair of positive whole numbers.
    """

    def __init__(self, size: tuple[int, int], attention: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        align_corners = self.align_corners('student')
        branch = DifficultyBranch(self.num_classes, size, attention, align_corners)
        self.attach('difficulty', branch, network='student')

    def supervised_loss(
        self, name: str, output: dict[str, NetworkView], batch: SemiBatch
    ) -> dict[str, Tensor]:
        """MMSeg's losses on the labelled images, unchanged, and the loss of the branch."""
        losses = super().supervised_loss(name, output, batch)
        shown, labels = output[LABELLED], ground_truth(batch.samples)
        branch = self.part('difficulty', name)
        difficulty = branch(as_class_logits(shown.grid_logits), labels.shape[1:])
        wrong = hard_labels(shown.logits) != labels
        losses['loss_difficulty'] = difficulty_loss(difficulty, wrong, labels != IGNORE_INDEX)
        return losses
