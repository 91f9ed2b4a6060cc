"""What a rule decides of flagged pixels, on the feature grid, and its way to the image's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmseg.models.utils import resize
from torch import Tensor

from ..utils.labels import IGNORE_INDEX, PseudoLabels, Source
from .distances import PixelIndex


@dataclass
class Decision:
    """What a rule says of M pixels.

    Attributes:
        classes: ``(M,)`` int64 best class.
        decided: ``(M,)`` bool, whether it may replace the pseudo-label.
        margin: ``(M,)`` float32 in [0, 1], relative gap between the best and the second class.
        confidence: ``(M,)`` float32 in [0, 1], how likely the best class is right; ``None`` where
            the rule has no posterior.
        change: ``(N, K, h, w)`` float32, what the rule adds to the network's probabilities at the
            M pixels and at the manual ones; ``None`` where it does not work so.
    """

    classes: Tensor
    decided: Tensor
    margin: Tensor
    confidence: Tensor | None = None
    change: Tensor | None = None


@dataclass
class GridRefinement:
    """Pseudo-labels after refinement, on the grid of the last feature map.

    Attributes:
        labels: ``(N, h, w)`` int64; 255 in the padding.
        flagged: ``(N, h, w)`` bool, pixels in the error mask that nobody has labelled.
        corrected: ``(N, h, w)`` bool, flagged pixels that were decided, whether or not the
            decision is the old pseudo-label.
        changed: ``(N, h, w)`` bool, those whose label is another one now.
        unresolved: ``(N, h, w)`` bool, the other flagged pixels: they keep their pseudo-label
            and are for the annotator.
        margin: ``(N, h, w)`` float32 in [0, 1]: how far the best class of a flagged pixel is
            ahead of the second (among the unresolved, ask the smallest first); 0 elsewhere.
        undecidable: ``(N,)`` bool, images with fewer than two candidate classes (by kriging:
            without a manual label). They are left as they were; margin and confidence are those
            of the network's probabilities.
        confidence: ``(N, h, w)`` float32 in [0, 1], how likely the label of a flagged pixel or of
            a manual cell is right, 0 elsewhere; ``None`` where the rule has no posterior.
        change: ``(N, K, h, w)`` float32, what the rule adds to the network's probabilities in
            corrected and manual cells, 0 elsewhere; ``None`` where it does not work so.
        manual: ``(N, h, w)`` bool, cells in which somebody has labelled a pixel: their label is
            that one.
    """

    labels: Tensor
    flagged: Tensor
    corrected: Tensor
    changed: Tensor
    unresolved: Tensor
    margin: Tensor
    undecidable: Tensor
    confidence: Tensor | None
    change: Tensor | None
    manual: Tensor


def assemble(
    pseudo: Tensor,
    manual: Tensor,
    flagged: Tensor,
    pixels: PixelIndex,
    decision: Decision,
    undecidable: Tensor,
) -> GridRefinement:
    """Writes manual labels and the decisions of the M flagged pixels into ``(N, h, w)`` grids."""
    known = manual != IGNORE_INDEX
    labels = torch.where(known, manual, pseudo)
    where = pixels.image, pixels.position
    margin = torch.zeros_like(labels, dtype=torch.float32)
    margin.flatten(1)[where] = decision.margin
    corrected = torch.zeros_like(flagged)
    corrected.flatten(1)[where] = decision.decided
    new = labels.clone()
    new.flatten(1)[where] = decision.classes
    new = torch.where(corrected, new, labels)
    unresolved, confidence = flagged & ~corrected, None
    if decision.confidence is not None:
        confidence = known.float()
        confidence.flatten(1)[where] = decision.confidence
    change = decision.change
    if change is not None:
        change = change * (corrected | known).unsqueeze(1)
    return GridRefinement(
        labels=new,
        flagged=flagged,
        corrected=corrected,
        changed=new != labels,
        unresolved=unresolved,
        margin=margin,
        undecidable=undecidable,
        confidence=confidence,
        change=change,
        manual=known,
    )


def paste_corrections(
    pseudo: PseudoLabels, probs: Tensor, mask: Tensor, found: GridRefinement
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
    """Copies the value of each cell to all of its pixels."""
    return resize(values.unsqueeze(1).float(), size, mode='nearest').squeeze(1).to(values.dtype)


def best_two(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Largest and second largest value in each row of ``(M, K)``, ``(M,)`` each."""
    best, index = scores.max(dim=1, keepdim=True)
    others = scores.scatter(1, index, float('-inf'))
    return best.squeeze(1), others.amax(dim=1)
