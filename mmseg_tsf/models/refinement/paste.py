"""From the feature grid, on which PLAR decides, to the pixels of the image."""

from __future__ import annotations

import torch
from mmseg.models.utils import resize
from torch import Tensor

from ..utils.pixel_losses import PseudoLabels, Source
from .result import Refinement


def paste_corrections(
    pseudo: PseudoLabels, probs: Tensor, mask: Tensor, found: Refinement
) -> tuple[PseudoLabels, Tensor]:
    """Brings corrections from the feature grid to image size, inside the error mask only.

    What a rule adds to the probabilities is interpolated and added to those of the pixels, so
    that edges stay where the network sees them; pixels to which nothing is added keep their label
    and confidence to the bit. A rule that only names classes gives them to all flagged pixels of a
    cell, and so does a manual pixel then.

    Args:
        pseudo: ``(N, H, W)``.
        probs: ``(N, K, H, W)`` of the network.
        mask: ``(N, H, W)`` bool error mask without the manual pixels.
        found: On a coarser grid.

    Returns:
        tuple[PseudoLabels, Tensor]: Refined ones, and ``(N, H, W)`` bool, which were decided.
    """
    labels, confidence, size = pseudo.labels, pseudo.confidence, pseudo.labels.shape[1:]
    corrected = _spread(found.corrected | found.manual, size).bool() & mask
    if found.change is None:
        labels = torch.where(corrected, _spread(found.labels, size), labels)
        return PseudoLabels(labels, confidence, _by_refiner(pseudo, corrected)), corrected
    added = resize(found.change, size, mode='bilinear')
    touched = mask & added.any(dim=1)
    best, classes = (probs + added).max(dim=1)
    corrected |= touched & (classes != labels)
    labels = torch.where(touched, classes, labels)
    confidence = torch.where(touched, best.clamp(0, 1), confidence)
    return PseudoLabels(labels, confidence, _by_refiner(pseudo, corrected)), corrected


def _by_refiner(pseudo: PseudoLabels, corrected: Tensor) -> Tensor:
    return pseudo.source.masked_fill(corrected, Source.CORRECTED)


def _spread(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Of each cell to all of its pixels."""
    return resize(values.unsqueeze(1).float(), size, mode='nearest').squeeze(1).to(values.dtype)
