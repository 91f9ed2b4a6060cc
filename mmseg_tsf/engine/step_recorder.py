"""What training steps feed a method's networks, for tools that show it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..models.segmentors import SemiSegmentor
from ..models.segmentors.batch import Lesson, SemiBatch
from ..models.utils.labels import IGNORE_INDEX, hard_labels


@dataclass
class Taught:
    """What one loss teaches on one branch.

    Attributes:
        title: Who learns from whom.
        labels: ``(N, H, W)`` int64, 255 = none.
        weight: ``(N, H, W)`` float, weight of each pixel; 0 where there is no label.
    """

    title: str
    labels: Tensor
    weight: Tensor


@dataclass
class RecordedStep:
    """One step, after mixing.

    Attributes:
        batch: Images and labels as the method prepared them.
        samples: Data samples by branch, before mixing.
        taught: What the losses teach, by branch.
    """

    batch: SemiBatch
    samples: dict[str, list]
    taught: dict[str, list[Taught]] = field(default_factory=dict)


class StepRecorder:
    """Records the steps of a model while :meth:`listen` is open; only the last one is kept.

    Args:
        model: A method; its steps are what they would be without a recorder.

    Attributes:
        step: The last step.
    """

    def __init__(self, model: SemiSegmentor) -> None:
        self.model = model
        self.step: RecordedStep | None = None

    @contextlib.contextmanager
    def listen(self) -> Iterator[None]:
        """Records every step inside."""
        loss = getattr(self.model, self.model.learners[0]).decode_head.loss_decode
        loss = loss[0] if isinstance(loss, torch.nn.ModuleList) else loss
        hook = loss.register_forward_pre_hook(self._supervised, with_kwargs=True)
        self.model.listeners.append(self)
        try:
            yield
        finally:
            self.model.listeners.remove(self)
            hook.remove()

    def begin(self, batch: SemiBatch, samples: dict[str, list]) -> None:
        """Called by the model when a step's batch is prepared."""
        self.step = RecordedStep(batch, samples, {'labelled': [], **{k: [] for k in batch.views}})

    def lesson(self, lesson: Lesson) -> None:
        """Called by the model for every loss on pseudo-labels or manual labels."""
        labels = lesson.targets.detach()
        labels = hard_labels(labels) if labels.ndim == 4 else labels
        weight = torch.ones_like(labels, dtype=torch.float32)
        if lesson.weight is not None:
            weight = lesson.weight.detach().float()
        title, begin = f'{lesson.learner} learns from {lesson.teacher}', 0
        for branch in lesson.branches:
            views = self.step.batch.views
            images = views[branch].images if branch in views else self.step.batch.labelled
            end = begin + len(images)
            self._keep(branch, title, labels[begin:end], weight[begin:end])
            begin = end

    def _supervised(self, loss: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        labels = args[1].detach()
        weight = torch.ones_like(labels, dtype=torch.float32)
        if kwargs.get('weight') is not None:
            weight = kwargs['weight'].detach().reshape(labels.shape).float()
        if getattr(loss, 'class_weight', None) is not None:
            table = weight.new_tensor(loss.class_weight)
            weight = weight * table[labels.clamp(max=len(table) - 1)]
        self._keep('labelled', f'{self.model.learners[0]} learns from labels', labels, weight)

    def _keep(self, branch: str, title: str, labels: Tensor, weight: Tensor) -> None:
        weight = weight * (labels != IGNORE_INDEX)
        self.step.taught.setdefault(branch, []).append(Taught(title, labels, weight))
