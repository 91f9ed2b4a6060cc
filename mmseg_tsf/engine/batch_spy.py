"""What a training step feeds its networks, overheard from the step itself."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from unittest import mock

import torch
from torch import Tensor

from ..models.segmentors.semi_base import SemiSegmentor
from ..models.segmentors.structures import NetworkOutput, SemiBatch
from ..models.utils import pixel_losses
from ..models.utils.pixel_losses import IGNORE_INDEX, hard_labels


@dataclass
class Lesson:
    """What one loss teaches.

    Attributes:
        title: Who learns from whom.
        labels: ``(N, H, W)`` int64, 255 = none.
        weight: ``(N, H, W)`` float, what a pixel counts; 0 where there is no label.
    """

    title: str
    labels: Tensor
    weight: Tensor


@dataclass
class FedBatch:
    """One step, after mixing.

    Attributes:
        batch: Images and labels as the method prepared them.
        samples: Data samples by branch, before mixing.
        labelled: Lessons on the labelled images.
        unlabelled: Lessons on the unlabelled images.
    """

    batch: SemiBatch
    samples: dict[str, list]
    labelled: list[Lesson] = field(default_factory=list)
    unlabelled: list[Lesson] = field(default_factory=list)


class BatchSpy:
    """Overhears the steps of a model: mixed batches, and labels and weights of its losses.

    Args:
        model: A method; computes what it would without a spy.

    Attributes:
        outputs: Of the last step, by network.
    """

    def __init__(self, model: SemiSegmentor) -> None:
        self.model = model
        self._fed: FedBatch | None = None
        self.outputs: dict[str, NetworkOutput] = {}

    def take(self) -> FedBatch:
        """The last step."""
        return self._fed

    @contextlib.contextmanager
    def listen(self) -> Iterator[None]:
        """Overhears every step inside."""
        with contextlib.ExitStack() as stack:
            for name in ('prepare', 'forward_network'):
                spied = getattr(self, f'_{name}')(getattr(self.model, name))
                stack.enter_context(mock.patch.object(self.model, name, spied))
            for name in ('weighted_cross_entropy', 'masked_mean'):
                original = getattr(pixel_losses, name)
                spied = getattr(self, f'_{name}')(original)
                for module in list(sys.modules.values()):  # wherever it was imported to
                    if getattr(module, '__dict__', {}).get(name) is original:
                        stack.enter_context(mock.patch.object(module, name, spied))
            heads = getattr(self.model, self.model.learners[0]).decode_head.loss_decode
            loss = heads[0] if isinstance(heads, torch.nn.ModuleList) else heads
            hook = loss.register_forward_pre_hook(self._supervised, with_kwargs=True)
            stack.callback(hook.remove)
            yield

    def _prepare(self, original: Callable) -> Callable:
        def prepare(inputs: dict, data_samples: dict) -> SemiBatch:
            batch = original(inputs, data_samples)
            self._fed, self.outputs = FedBatch(batch, data_samples), {}
            return batch

        return prepare

    def _forward_network(self, original: Callable) -> Callable:
        def forward_network(name: str, batch: SemiBatch) -> NetworkOutput:
            self.outputs[name] = original(name, batch)
            return self.outputs[name]

        return forward_network

    def _supervised(self, loss: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        labels = args[1].detach()
        weight = torch.ones_like(labels, dtype=torch.float32)
        if kwargs.get('weight') is not None:
            weight = kwargs['weight'].detach().reshape(labels.shape).float()
        if getattr(loss, 'class_weight', None) is not None:
            table = weight.new_tensor(loss.class_weight)
            weight = weight * table[labels.clamp(max=len(table) - 1)]
        title = f'{self.model.learners[0]} learns from labels'
        self._fed.labelled.append(Lesson(title, labels, _where(weight, labels)))

    def _weighted_cross_entropy(self, original: Callable) -> Callable:
        def weighted_cross_entropy(logits, labels, weight=None):
            counts = torch.ones_like(labels, dtype=torch.float32) if weight is None else weight
            learner = self._learner_of(logits)
            self._note(learner, self._teacher_of(labels, learner), labels, counts)
            return original(logits, labels, weight)

        return weighted_cross_entropy

    def _masked_mean(self, original: Callable) -> Callable:
        def masked_mean(values, mask):
            if values.requires_grad:  # a loss: the squared difference from the teacher
                batch = self._fed.batch
                targets = batch.info['teacher']
                if len(values) > len(targets):
                    targets = torch.cat((batch.teacher.probs, targets))
                learner = self.model.learners[0]
                self._note(learner, 'teacher', hard_labels(targets), mask.float())
            return original(values, mask)

        return masked_mean

    def _note(self, learner: str | None, teacher: str, labels: Tensor, weight: Tensor) -> None:
        """Keeps a lesson, parted where it is on labelled and unlabelled images."""
        title = f'{learner or self.model.learners[0]} learns from {teacher}'
        labels, weight = labels.detach(), _where(weight.detach(), labels)
        border = len(labels) if learner is None else len(labels) - len(self._fed.batch.unlabelled)
        if border:
            self._fed.labelled.append(Lesson(title, labels[:border], weight[:border]))
        if learner is not None:
            self._fed.unlabelled.append(Lesson(title, labels[border:], weight[border:]))

    def _learner_of(self, logits: Tensor) -> str | None:
        """Whose logits of the unlabelled images these are; ``None`` for none of them."""
        for name, output in self.outputs.items():
            number = len(output.unlabelled)
            if len(logits) >= number and torch.equal(logits[-number:], output.unlabelled):
                return name
        return None

    def _teacher_of(self, labels: Tensor, learner: str | None) -> str:
        """Whose labels these are."""
        batch = self._fed.batch
        if labels is batch.manual:
            return 'people'
        others = [name for name in self.model.learners if name != learner]
        by_teacher = batch.pseudo is not None and labels is batch.pseudo.labels
        return 'teacher' if learner is None or by_teacher or not others else others[0]


def _where(weight: Tensor, labels: Tensor) -> Tensor:
    """The weights, 0 where there is no label."""
    return weight * (labels != IGNORE_INDEX)
