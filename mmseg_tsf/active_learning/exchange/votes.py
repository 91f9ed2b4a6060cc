"""Answers of several people to one image, joined by vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...models.utils.labels import IGNORE_INDEX
from .answers import ImageLabels


@dataclass
class Agreement:
    """Requested pixels that more than one person labelled.

    Attributes:
        compared: Number of such pixels.
        unanimous: Number of those to which all gave the same label.
        undecided: Number of those without a label that more people gave than any other.
    """

    compared: int = 0
    unanimous: int = 0
    undecided: int = 0


def join_votes(
    votes: Sequence[ImageLabels], asked: np.ndarray, agreement: Agreement
) -> ImageLabels:
    """Gives each pixel the label that most people gave it; in a tie its class cannot be said.

    "Cannot be said" is a label like the others; who gives none has no vote.

    Args:
        votes: Labels of each person, all of one size.
        asked: ``(H, W)`` bool mask of the requested pixels.
        agreement: Receives the numbers of this image.
    """
    joined = ImageLabels(asked.shape)
    most = np.zeros(asked.shape, np.uint8)
    tied = np.zeros(asked.shape, bool)
    for value in sorted(set().union(*(np.unique(vote.labels).tolist() for vote in votes))):
        count = sum((vote.labelled & (vote.labels == value)).astype(np.uint8) for vote in votes)
        tied = np.where(count > most, False, tied | (count == most) & (count > 0))
        joined.labels[count > most] = value
        most = np.maximum(count, most)
    joined.labels[tied] = IGNORE_INDEX
    joined.labelled = most > 0
    joined.implied = all(vote.implied for vote in votes)
    for vote in votes:
        joined.unread += vote.unread
        joined.broken += vote.broken
    voters = sum(vote.labelled.astype(np.uint8) for vote in votes)
    compared = asked & (voters > 1)
    agreement.compared += int(compared.sum())
    agreement.unanimous += int((compared & (most == voters)).sum())
    agreement.undecided += int((compared & tied).sum())
    return joined
