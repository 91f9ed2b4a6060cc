"""What methods with a teacher share: its pass, its labels, and their refinement."""

from __future__ import annotations

import torch
from torch import Tensor

from ..refinement.label_refinement import LabelRefinement
from ..utils.feature_tap import FeatureTap
from ..utils.labels import ground_truth
from ..utils.pixel_losses import PseudoLabels, pseudo_labels, with_manual
from ..utils.views import NetworkView
from .semi_base import SemiSegmentor
from .structures import NetworkOutput, SemiBatch


class TeacherSegmentor(SemiSegmentor):
    """A method whose teacher labels unlabelled images.

    Whatever an oracle has labelled in an otherwise unlabelled image is in its ``gt_sem_seg``
    (255 elsewhere) and always wins over the teacher.

    Args:
        error_head: Config of an ``ErrorMaskDecoder``, or ``None``.
        refiner: Config of a ``PseudoLabelAutoRefinement``, or ``None``.
        refinement: Further options of :class:`LabelRefinement`: ``taps``, ``min_confidence``,
            ``min_precision``, ``unresolved``. Given alone, flagged pixels are told by the
            confidence.
        **kwargs: See :class:`SemiSegmentor`.
    """

    has_teacher = True

    def __init__(
        self,
        error_head: dict | None = None,
        refiner: dict | None = None,
        refinement: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.refinement: LabelRefinement | None = None
        if error_head is not None or refiner is not None or refinement is not None:
            self.refinement = LabelRefinement(
                self.teacher, self.num_classes, error_head, refiner, **(refinement or {})
            )

    @property
    def refinement_learns(self) -> bool:
        """Whether the teacher has to see the labelled images for the refinement's own heads."""
        return self.refinement is not None and self.refinement.learns

    @torch.no_grad()
    def teacher_pass(self, images: Tensor) -> NetworkView:
        """One pass of the teacher, features tapped where they are needed."""
        if self.refinement is None:
            grid_logits, features = self.run('teacher', images)[1], []
        else:
            with FeatureTap(self.teacher, self.refinement.taps) as tap:
                grid_logits = self.run('teacher', images)[1]
            features = [tap[path] for path in self.refinement.taps]
        return NetworkView(grid_logits, self.upsample(grid_logits, images.shape[2:]), features)

    @torch.no_grad()
    def teacher_labels(
        self, view: NetworkView, samples: list, valid: Tensor
    ) -> tuple[PseudoLabels, dict[str, Tensor]]:
        """The teacher's labels of unlabelled images, refined; manual pixels win.

        Args:
            view: Of the images.
            samples: Their data samples.
            valid: ``(N, H, W)`` bool, False in the padding.

        Returns:
            tuple: Labels, and statistics of the refinement.
        """
        manual = ground_truth(samples)
        if self.refinement is not None:
            return self.refinement(view, manual, valid)
        return with_manual(pseudo_labels(view.logits, valid), manual), {}

    def unsupervised_loss(
        self, outputs: dict[str, NetworkOutput], batch: SemiBatch
    ) -> dict[str, Tensor]:
        """Losses of the refinement's own heads, on labelled images."""
        if not self.refinement_learns:
            return dict(batch.stats)
        losses = self.refinement.losses(batch.teacher, ground_truth(batch.samples))
        return {**losses, **batch.stats}
