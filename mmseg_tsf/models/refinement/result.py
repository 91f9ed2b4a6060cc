"""What a refinement returns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..utils.pixel_losses import IGNORE_INDEX
from .distances import PixelIndex
from .rules import Decision


@dataclass
class Refinement:
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
) -> Refinement:
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
    return Refinement(
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
