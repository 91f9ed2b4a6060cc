"""What the steps of a method hand to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ..utils.pixel_losses import PseudoLabels
from ..utils.views import NetworkView


@dataclass
class SemiBatch:
    """One step's data, mixed and ready for the networks that learn.

    Attributes:
        labelled: ``(B, 3, H, W)`` labelled images.
        samples: Their data samples with the (mixed) ground truth.
        unlabelled: ``(B', 3, H, W)`` unlabelled images as the learners see them, or ``None``.
        valid: ``(B', H, W)`` bool, False in the padding of the unlabelled images.
        pseudo: The teacher's labels of ``unlabelled``, mixed by the same mask.
        manual: ``(B', H, W)`` int64 labels that people gave in ``unlabelled``, mixed alike, 255
            elsewhere.
        info: Further tensors that a method carries from ``prepare`` to its losses.
        teacher: The teacher's view of ``labelled``, where a method asks for it.
        stats: Scalars to log.
    """

    labelled: Tensor
    samples: list
    unlabelled: Tensor | None = None
    valid: Tensor | None = None
    pseudo: PseudoLabels | None = None
    manual: Tensor | None = None
    info: dict[str, Tensor] = field(default_factory=dict)
    teacher: NetworkView | None = None
    stats: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class NetworkOutput:
    """One network's outputs for a step.

    Attributes:
        features: Backbone (and neck) features of all images.
        logits: ``(B + B', K, h, w)`` of the decode head, on its own grid.
        unlabelled: ``(B', K, H, W)`` float32 logits at image size, or ``None``.
    """

    features: list[Tensor]
    logits: Tensor
    unlabelled: Tensor | None
