"""What the steps of a method hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..utils.pixel_losses import PseudoLabels


@dataclass
class SemiBatch:
    """One step's data, mixed and ready for the networks that learn.

    Attributes:
        labelled: ``(B, 3, H, W)`` labelled images.
        samples: Their data samples with the (mixed) ground truth.
        unlabelled: ``(B', 3, H, W)`` unlabelled images as the learners see them, or ``None``.
        valid: ``(B', H, W)`` bool, False in the padding of the unlabelled images.
        pseudo: The teacher's labels of ``unlabelled``, mixed by the same mask.
        info: Further tensors that a method carries from ``prepare`` to its losses.
    """

    labelled: Tensor
    samples: list
    unlabelled: Tensor | None = None
    valid: Tensor | None = None
    pseudo: PseudoLabels | None = None
    info: dict[str, Tensor] | None = None


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
