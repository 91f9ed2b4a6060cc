"""What a mask costs a person, and what it holds."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from ...models.utils.labels import IGNORE_INDEX


def count_clicks(mask: np.ndarray) -> int:
    """Estimate of the clicks that labelling a mask takes: components and outline vertices.

    A component of one pixel is one click; a larger one is opened by a click and outlined by the
    vertices of its polygon, holes included.

    Args:
        mask: ``(H, W)`` bool.
    """
    labels, components = ndimage.label(mask)
    if not components:
        return 0
    sizes = np.bincount(labels.ravel())[1:]
    large = np.concatenate(([False], sizes > 1))[labels]
    outlines, _ = cv2.findContours(large.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return components + sum(len(outline) for outline in outlines)


def count_components(mask: np.ndarray) -> int:
    """Connected components (4 neighbours) of ``(H, W)`` bool."""
    return ndimage.label(mask)[1]


def class_counts(labels: np.ndarray, num_classes: int) -> list[int]:
    """Pixels of each class in ``(H, W)`` class ids."""
    counts = np.bincount(labels[labels != IGNORE_INDEX].ravel(), minlength=num_classes)
    return counts[:num_classes].tolist()
