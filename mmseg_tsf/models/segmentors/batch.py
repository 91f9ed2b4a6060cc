"""What the steps of a method hand to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from torch import Tensor

from ..utils.labels import PseudoLabels, ground_truth, valid_mask
from ..utils.views import NetworkView

Perturbation = Callable[[list[Tensor]], list[Tensor]]
"""Change of the feature maps of a backbone."""


@dataclass
class View:
    """One look at the unlabelled images of a step, as a network that learns sees them.

    All maps go through :meth:`map` together, so that images, labels and weights cannot be mixed
    differently.

    Attributes:
        images: ``(N, 3, H, W)``.
        valid: ``(N, H, W)`` bool, False in the padding.
        manual: ``(N, H, W)`` int64 labels that people gave, 255 elsewhere.
        pseudo: Labels by the network that gave them, refined, manual ones pasted in.
        targets: Probabilities ``(N, K, H, W)`` to learn from, by the network that gave them.
        perturb: Change of the backbone's feature maps before the decode head.
        base: Name of the view whose feature maps are perturbed, where it is not the view itself;
            the backbone runs once for both.
    """

    images: Tensor
    valid: Tensor
    manual: Tensor
    pseudo: dict[str, PseudoLabels] = field(default_factory=dict)
    targets: dict[str, Tensor] = field(default_factory=dict)
    perturb: Perturbation | None = None
    base: str = ''

    @classmethod
    def of(cls, images: Tensor, samples: list) -> View:
        """Images with the padding and the manual labels that their data samples tell of."""
        return cls(images, valid_mask(samples, images), ground_truth(samples))

    def map(self, change: Callable[[Tensor], Tensor]) -> View:
        """The same change, such as mixing, of every map of the view."""
        return replace(
            self,
            images=change(self.images),
            valid=change(self.valid),
            manual=change(self.manual),
            pseudo={name: pseudo.map(change) for name, pseudo in self.pseudo.items()},
            targets={name: change(probs) for name, probs in self.targets.items()},
        )


@dataclass
class SemiBatch:
    """One step's data, mixed and ready for the networks that learn.

    Attributes:
        labelled: ``(B, 3, H, W)`` labelled images.
        samples: Their data samples with the (mixed) ground truth.
        views: Views of the unlabelled images by name; all learners see all of them unless the
            method says otherwise.
        later: Views that are seen in a second pass, once the method has finished them; see
            :meth:`SemiSegmentor.second_views`.
        perturb_labelled: Change of the backbone's feature maps of the labelled images before the
            decode head.
        labellers: What the networks that label show of ``labelled``, by name, where the method
            or its refinement learns from it.
        stats: Scalars to log.
    """

    labelled: Tensor
    samples: list
    views: dict[str, View] = field(default_factory=dict)
    later: dict[str, View] = field(default_factory=dict)
    perturb_labelled: Perturbation | None = None
    labellers: dict[str, NetworkView] = field(default_factory=dict)
    stats: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> SemiBatch:
        """Labelled images and one view of the unlabelled ones, ``'unlabelled'``.

        It shows the branch ``strong`` where the data set has one.
        """
        images = inputs.get('strong', inputs['unlabelled'])
        view = View.of(images, data_samples['unlabelled'])
        return cls(inputs['labelled'], data_samples['labelled'], dict(unlabelled=view))


@dataclass
class Lesson:
    """What one loss teaches, see :meth:`SemiSegmentor.pseudo_label_loss`.

    Attributes:
        learner: Name of the network that learns.
        teacher: Name of the network that labelled, or ``'people'``.
        branches: Names of the branches whose images ``targets`` holds, one after the other:
            views, or ``'labelled'``.
        targets: ``(N, H, W)`` int64 labels, 255 = none, or ``(N, K, H, W)`` probabilities.
        weight: ``(N, H, W)`` weight of each pixel; ``None`` for 1.
    """

    learner: str
    teacher: str
    branches: tuple[str, ...]
    targets: Tensor
    weight: Tensor | None


class StepListener(Protocol):
    """What a listener of :attr:`SemiSegmentor.listeners` offers."""

    def begin(self, batch: SemiBatch, samples: dict[str, list]) -> None:
        """A step's batch is prepared; ``samples`` are its data samples by branch."""

    def lesson(self, lesson: Lesson) -> None:
        """A loss teaches pseudo-labels or manual labels."""
