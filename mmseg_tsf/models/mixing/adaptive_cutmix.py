"""AEL's adaptive CutMix (Hu et al. 2021, section 3.3): paste what the network is worst at.

A class is drawn with a probability that falls with its confidence, a partner image that shows
it is fetched, and the box around one of its connected components is pasted. Everything that
runs on the device stays there: no value is read back to the host.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def draw_partners(
    confidence: np.ndarray, presence: np.ndarray, num: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Draws classes by ``softmax(1 - confidence)`` and, for each, an image that shows it.

    Args:
        confidence: ``(K,)`` class confidences in [0, 1].
        presence: ``(K, P)`` bool, which image of the unlabelled pool shows which class.
        num: Number of partners.
        rng: Source of randomness.

    Returns:
        list[tuple[int, int]]: Class and index into the pool. Where no image is known to show
        the class, the index is uniform over the whole pool.
    """
    weights = np.exp(1.0 - confidence.astype(np.float64))
    classes = rng.choice(len(confidence), size=num, p=weights / weights.sum())
    partners = []
    for cls in classes.tolist():
        candidates = np.flatnonzero(presence[cls])
        pool = candidates if len(candidates) else np.arange(presence.shape[1])
        partners.append((cls, int(rng.choice(pool))))
    return partners


def connected_components(mask: Tensor) -> Tensor:
    """Labels 8-connected components by spreading the largest pixel index.

    ``H + W`` spreading steps are exact for every component whose inner paths are shorter than
    that; a longer, snake-like one is split, which a cut-out box does not mind.

    Args:
        mask: ``(N, H, W)`` bool.

    Returns:
        Tensor: ``(N, H, W)`` int64; 0 outside, else 1 + the largest flat index of the component.
    """
    _, height, width = mask.shape
    index = torch.arange(1, height * width + 1, device=mask.device, dtype=torch.float32)
    member = mask.unsqueeze(1).float()
    labels = index.view(1, 1, height, width) * member
    for _ in range(height + width):
        labels = F.max_pool2d(labels, kernel_size=3, stride=1, padding=1) * member
    return labels.squeeze(1).long()


def component_boxes(labels: Tensor, classes: Tensor, min_area: float) -> tuple[Tensor, Tensor]:
    """Box of a random connected component of a given class in every image.

    Every component above the minimum area has the same chance, as in AEL, which takes the first
    of the shuffled ones.

    Args:
        labels: ``(N, H, W)`` predicted classes, on any grid.
        classes: ``(N,)`` the class wanted in each image.
        min_area: Smallest area, as a share of the image.

    Returns:
        tuple[Tensor, Tensor]: Boxes ``(N, 1, 4)`` (top, left, bottom, right as shares of the
        image) and ``(N,)`` bool, whether the image has such a component.
    """
    n, height, width = labels.shape
    mask = labels == classes.view(n, 1, 1)
    ids = connected_components(mask).flatten(1)  # (N, H*W)
    areas = torch.zeros(n, height * width + 1, device=labels.device)
    areas = areas.scatter_add(1, ids, torch.ones_like(ids, dtype=areas.dtype))
    large = mask.flatten(1) & (areas.gather(1, ids) > min_area * height * width)
    own_id = torch.arange(1, height * width + 1, device=labels.device)
    root = large & (ids == own_id)  # one pixel stands for each component
    score = torch.where(root, torch.rand(root.shape, device=labels.device), -1.0)
    best, where = score.max(dim=1, keepdim=True)
    component = (large & (ids == ids.gather(1, where))).view(n, height, width)
    top, bottom = _extent(component.any(dim=2))
    left, right = _extent(component.any(dim=1))
    boxes = torch.stack((top / height, left / width, bottom / height, right / width), dim=-1)
    return boxes.unsqueeze(1), best.squeeze(1) >= 0


def _extent(line: Tensor) -> tuple[Tensor, Tensor]:
    """First set position and one past the last, of ``(N, L)`` bool."""
    line = line.to(torch.int8)
    first = line.argmax(dim=1)
    last = line.shape[1] - line.flip(1).argmax(dim=1)
    return first, last
