"""The passes of a training step as the methods' public codes compose them, for step_time.py.

A pass is a call of a network or a part of it on images of a batch; what a public code does besides
(loops over classes, copies to the host) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models import segmentors
from ..models.segmentors import SemiSegmentor
from ..models.utils.pixel_losses import weighted_cross_entropy
from ..models.utils.views import upsample


@dataclass
class Pass:
    """Calls of one network on the same kind of batch.

    Attributes:
        network: Name of the network.
        batches: Images of the batch, in batches of one branch; 2 for labelled and unlabelled ones
            together.
        grad: Whether the pass is learnt from.
        more: Calls on the features of the pass behind it, which return losses.
    """

    network: str
    batches: int = 1
    grad: bool = False
    more: Callable[[SemiSegmentor, list[Tensor], Tensor], list[Tensor]] | None = None


def published_passes(model: SemiSegmentor) -> list[Pass] | None:
    """Passes of one step of a model's method; ``None`` where no composition is known."""
    known = {
        segmentors.MeanTeacher: _mean_teacher,
        segmentors.CrossConsistencyTraining: _cross_consistency,
        segmentors.GuidedCollaborativeTraining: _guided,
        segmentors.CrossPseudoSupervision: _cross_pseudo,
        segmentors.PerturbedStrictMeanTeachers: _strict_teachers,
        segmentors.UnreliablePseudoLabels: _unreliable,
        segmentors.AdaptiveEqualizationLearning: _equalization,
        segmentors.SelfTraining: _self_training,
        segmentors.UniMatch: _unimatch,
        segmentors.UniMatchV2: _unimatch_v2,
        segmentors.TeacherStudentFriend: _friend,
    }
    passes = known.get(type(model))
    return None if passes is None else list(passes(model))


def run_published(model: SemiSegmentor, passes: list[Pass], images: Tensor) -> Tensor:
    """Makes the passes, each followed by its losses at image size; returns their sum."""
    losses, size = [], images.shape[2:]
    for own in passes:
        batch = images.repeat(own.batches, 1, 1, 1)
        labels = torch.randint(model.num_classes, (len(batch), *size), device=images.device)
        with torch.set_grad_enabled(own.grad):
            features, logits = model.run(own.network, batch)
            logits = upsample(logits, size, model.align_corners(own.network))
            if own.grad:
                losses.append(weighted_cross_entropy(logits, labels))
            else:
                logits.softmax(dim=1).max(dim=1)
            if own.more is not None:
                losses += own.more(model, features, logits)
    return sum(losses)


def _mean_teacher(model: SemiSegmentor) -> Iterator[Pass]:
    yield from (Pass('student', grad=True), Pass('student', grad=True))
    yield from (Pass('teacher'), Pass('teacher'))


def _cross_pseudo(model: SemiSegmentor) -> Iterator[Pass]:
    for name in model.learners:
        yield from (Pass(name, grad=True), Pass(name, grad=True))
        if model.cutmix is not None:
            yield from (Pass(name), Pass(name))


def _equalization(model: SemiSegmentor) -> Iterator[Pass]:
    yield from (Pass('student', grad=True), Pass('student', grad=True))
    yield from (Pass('teacher', batches=2), Pass('teacher'))


def _friend(model: SemiSegmentor) -> Iterator[Pass]:
    """AEL's loop with CPS + CutMix bolted on."""
    yield from _equalization(model)
    yield from (Pass('friend', grad=True), Pass('friend', grad=True))
    yield from (Pass('student', batches=2), Pass('friend', batches=2))


def _unreliable(model: SemiSegmentor) -> Iterator[Pass]:
    yield Pass('teacher')
    yield Pass('student', batches=2, grad=True, more=_representation('student'))
    yield Pass('teacher', batches=2, more=_representation('teacher'))


def _self_training(model: SemiSegmentor) -> Iterator[Pass]:
    yield Pass('student', batches=2, grad=True)  # labels are made once in a generation


def _representation(name: str) -> Callable:
    def more(model: SemiSegmentor, features: list[Tensor], logits: Tensor) -> list[Tensor]:
        head = model.part('representation', name)
        width = head[0].in_channels
        shape = len(logits), width, *features[0].shape[2:]
        return [head(torch.randn(shape, device=logits.device)).float().mean()]

    return more


def _unimatch(model: SemiSegmentor) -> Iterator[Pass]:
    def decoded_again(model, features, logits):
        again = model.decode('student', [F.dropout2d(own) for own in features])
        return [upsample(again, logits.shape[2:]).logsumexp(dim=1).mean()]

    yield Pass('student')
    yield Pass('student', batches=2, grad=True, more=decoded_again)
    yield Pass('student', batches=2, grad=True)


def _unimatch_v2(model: SemiSegmentor) -> Iterator[Pass]:
    yield from (Pass('teacher'), Pass('student', grad=True))
    yield Pass('student', batches=2, grad=True)


def _cross_consistency(model: SemiSegmentor) -> Iterator[Pass]:
    def auxiliary(model, features, logits):
        losses = []
        for decoder in model.part('decoders'):
            shape = len(logits), decoder.in_channels, *features[0].shape[2:]
            found = decoder(torch.randn(shape, device=logits.device, requires_grad=True))
            probs = upsample(found, logits.shape[2:]).softmax(dim=1)
            losses.append((probs - logits.detach().softmax(dim=1)).square().mean())
        return losses

    yield Pass('student', grad=True)
    yield Pass('student', grad=True, more=auxiliary)


def _guided(model: SemiSegmentor) -> Iterator[Pass]:
    def judged(model, features, logits):
        images = torch.randn(len(logits), 3, *logits.shape[2:], device=logits.device)
        return [model.part('detector')(images, logits.softmax(dim=1)).square().mean()]

    first, second = model.learners
    # both networks on labelled and unlabelled images: without gradient, again before the
    # detector's turn, and with gradient; the detector on both twice and on the labelled ones
    for name in (first, second):
        yield from (Pass(name), Pass(name, more=judged))
        yield from (Pass(name, grad=True), Pass(name, grad=True, more=judged))
        yield from (Pass(name), Pass(name, more=judged))


def _strict_teachers(model: SemiSegmentor) -> Iterator[Pass]:
    def adversarial(model, features, logits):
        still = [own.detach() for own in features]
        for name in model.averages:  # target, and one step of the power iteration
            model.decode(name, still)
            moved = [own.clone().requires_grad_() for own in still]
            with torch.enable_grad():
                loss = model.decode(name, moved).float().mean()
            torch.autograd.grad(loss, moved, allow_unused=True)
        return []

    yield from (Pass('teacher_1'), Pass('teacher_2'))
    yield from (Pass('student', grad=True, more=adversarial) for _ in range(2))


def parts_of(model: SemiSegmentor) -> dict[str, nn.Module]:
    """Modules beside backbones and decode heads that a step calls, by name."""
    skipped = {*model.network_names, 'data_preprocessor', *model.refinement_names}
    parts = {name: own for name, own in model.named_children() if name not in skipped}
    for name in model.network_names:
        own = getattr(getattr(model, name), 'parts', {})
        parts.update({f'{name}.{key}': part for key, part in own.items()})
    found = {}
    for name, part in parts.items():
        if isinstance(part, nn.ModuleList):
            found.update({f'{name}.{key}': one for key, one in part.named_children()})
        else:
            found[name] = part
    return found
