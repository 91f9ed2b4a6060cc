"""Perturbed and strict mean teachers (PS-MT, Liu et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from mmseg.registry import MODELS
from mmseg.utils import add_prefix
from torch import Tensor, nn

from ...utils.errors import UserError
from ...utils.options import check_ramp, check_share, check_weight
from ..mixing import BatchCutMix, adversarial_noise, check_cutmix
from ..utils.labels import IGNORE_INDEX, valid_mask
from ..utils.pixel_losses import cross_entropy_over, masked_mean
from ..utils.views import NetworkView, as_class_logits
from .batch import SemiBatch, View
from .labelling import Outputs
from .semi_base import SemiSegmentor

TEACHERS = ('teacher_1', 'teacher_2')
CUTMIX = dict(num_boxes=3, area=(0.25, 0.5))


@MODELS.register_module()
class PerturbedStrictMeanTeachers(SemiSegmentor):
    """Two teachers in turn, and a student under adversarial noise, CutMix and strong colours.

    One of the teachers, the core, follows the student for a turn while the other stands still;
    then they change places. Their mean logits label the weak view, where the other teacher has a
    say in its ``top_classes`` classes only. The student learns from them on mixed strong images
    (branch ``strong``), by cross entropy times confidence over the pixels that are sure, and its
    backbone's features carry noise that is adversarial to the teachers' decode heads, on labelled
    images too.

    During the warm-up all three networks learn from labelled images alone, without noise;
    teachers start with decode heads of their own (in the public code with random backbones, too),
    and DDP needs ``find_unused_parameters=True`` because they stop learning then.
    ``MeanTeacherHook`` has ``decay=0.996`` in the public code.

    Args:
        turn: Iterations of a teacher's turn; an epoch over the unlabelled images in the public
            code. At an optimiser step that accumulates gradients, the turn of its last iteration
            counts.
        warm_up: Iterations of the warm-up; 5 epochs in the public code.
        weight: Weight of the loss on unlabelled images after its ramp.
        ramp: Shares of training between which ``weight`` rises by a half cosine; over 12 epochs
            in the public code.
        threshold: Least confidence of a pseudo-label that teaches.
        top_classes: Number of classes for each pixel in which the teacher that is not the core
            has a say.
        cutmix: Options of :class:`BatchCutMix`; ``None`` for none.
        noise: L2 norm of the adversarial noise, for each feature map; 0 for none.
        noise_step: L2 norm of the random start of the search for it (1e-6 in the public code,
            which float32 features do not resolve).
        **kwargs: See :class:`SemiSegmentor`.

    Raises:
        UserError: An option is wrong.
    """

    averages = dict.fromkeys(TEACHERS, 'student')
    independent = TEACHERS
    labellers = ('teacher_1',)

    def __init__(
        self,
        turn: int,
        warm_up: int,
        weight: float = 3.0,
        ramp: tuple[float, float] = (0.0, 0.04),
        threshold: float = 0.6,
        top_classes: int = 7,
        cutmix: dict | None = CUTMIX,
        noise: float = 2.0,
        noise_step: float = 0.1,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if turn < 1 or warm_up < 0 or top_classes < 1:
            raise UserError(
                f'turn={turn} and top_classes={top_classes} must be at least 1, '
                f'warm_up={warm_up} at least 0'
            )
        self.turn, self.warm_up, self.top_classes = turn, warm_up, top_classes
        self.weight, self.cutmix = check_weight('weight', weight), check_cutmix(cutmix)
        self.consistency_ramp = check_ramp('ramp', ramp)
        self.threshold = check_share('threshold', threshold)
        self.noise = check_weight('noise', noise)
        self.noise_step = check_weight('noise_step', noise_step)
        for name in TEACHERS:
            getattr(self, name).requires_grad_(warm_up > 0)

    @property
    def leaves_parameters_out(self) -> bool:
        return self.warm_up > 0

    @property
    def required_branches(self) -> tuple[str, ...]:
        return ('labelled', 'unlabelled', 'strong')

    def averages_to_move(self, iteration: int) -> tuple[str, ...]:
        if iteration < self.warm_up:
            return ()
        return (TEACHERS[(iteration - self.warm_up) // self.turn % 2],)

    def prepare(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        batch = SemiBatch(inputs['labelled'], data_samples['labelled'])
        weak = View.of(inputs['unlabelled'], data_samples['unlabelled'])
        first = self.labeller_view('teacher_1', weak.images, batch)
        second = self.view('teacher_2', weak.images)
        core, other = first.grid_logits, second.grid_logits
        if self.averages_to_move(self.iteration) == ('teacher_2',):
            core, other = other, core
        ensemble = strict_ensemble(as_class_logits(core), as_class_logits(other), self.top_classes)
        shown = NetworkView(ensemble, first.features, first.size, first.align_corners)
        pseudo, batch.stats = self.label('teacher_1', shown, weak.manual, weak.valid)
        view = replace(weak, images=inputs['strong'], pseudo={'teacher_1': pseudo})
        if self.cutmix is not None:
            view = view.map(BatchCutMix(view.images, **self.cutmix))
        if self.noise and self.iteration >= self.warm_up:
            view.perturb = partial(self.with_noise, valid=view.valid)
            inside = valid_mask(batch.samples, batch.labelled)
            batch.perturb_labelled = partial(self.with_noise, valid=inside)
        batch.views['unlabelled'] = view
        return batch

    def with_noise(self, maps: list[Tensor], valid: Tensor) -> list[Tensor]:
        """Backbone feature maps of the student plus noise against the teachers' decode heads.

        Args:
            maps: ``(N, C_j, h_j, w_j)``.
            valid: ``(N, H, W)`` bool, False in the padding.
        """
        still = [own.detach().float() for own in maps]
        heads = [getattr(self, name).decode_head for name in TEACHERS]
        # in float32, because the search follows a difference that half precision rounds away
        with evaluating(*heads), torch.autocast(still[0].device.type, enabled=False):
            with torch.no_grad():
                target = self.teachers_logits(still).softmax(dim=1)
            noise = adversarial_noise(
                still, self.teachers_logits, target, valid, self.noise, self.noise_step
            )
        return [own + more.to(own.dtype) for own, more in zip(maps, noise, strict=True)]

    def teachers_logits(self, maps: list[Tensor]) -> Tensor:
        """Mean logits ``(N, K, h, w)`` of the teachers' decode heads on feature maps."""
        logits = [as_class_logits(self.decode(name, maps).float()) for name in TEACHERS]
        return (logits[0] + logits[1]) / 2

    def unsupervised_loss(self, outputs: Outputs, batch: SemiBatch) -> dict[str, Tensor]:
        view = batch.views['unlabelled']
        pseudo = view.pseudo['teacher_1']
        has_label = view.valid & (pseudo.labels != IGNORE_INDEX)
        sure = has_label & (pseudo.confidence >= self.threshold)
        loss = self.pseudo_label_loss(
            'student',
            'teacher_1',
            ['unlabelled'],
            outputs['student']['unlabelled'].logits,
            pseudo.labels,
            pseudo.confidence * sure,
            lambda *args: cross_entropy_over(sure, *args),
        )
        weight = self.weight * self.ramp(self.consistency_ramp, 'cosine')
        losses = {
            'loss_consistency': weight * loss * (self.iteration >= self.warm_up),
            'teacher_1.confidence': masked_mean(pseudo.confidence, view.valid),
            'teacher_1.sure': masked_mean(sure, view.valid),
        }
        if self.iteration < self.warm_up:
            for name in TEACHERS:
                logits = self.run(name, batch.labelled)[1]
                own = getattr(self, name).decode_head.loss_by_feat(logits, batch.samples)
                losses.update(add_prefix(own, f'{name}.decode'))
        return losses


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Modules in evaluation mode; afterwards every layer is in the mode that it had."""
    modes = [(own, own.training) for module in modules for own in module.modules()]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for own, mode in modes:
            own.training = mode


def strict_ensemble(core: Tensor, other: Tensor, top: int) -> Tensor:
    """Mean of two teachers' logits, the second with a say in its own top classes only.

    Args:
        core: ``(N, K, h, w)`` logits of the teacher that follows the student.
        other: Logits of the other teacher; outside of its ``top`` classes those of the core
            stand in for them.
        top: Number of classes for each pixel.

    Returns:
        Tensor: ``(N, K, h, w)``.
    """
    least = other.topk(min(top, other.shape[1]), dim=1).values[:, -1:]
    return (core + torch.where(other >= least, other, core)) / 2
