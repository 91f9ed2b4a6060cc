"""Perturbations of feature maps: at random, guided by a prediction, and adversarial."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..utils.grid import resize_nearest
from .adaptive_cutmix import connected_components

CUTOUT = 0.4
"""Sides of the box that guided cutout erases, as shares of the sides of an object's box."""


def drop_channels(features: Tensor, share: float = 0.5) -> Tensor:
    """Feature maps ``(N, C, h, w)`` with whole channels dropped, at evaluation too."""
    return F.dropout2d(features, share)


def drop_active(features: Tensor, valid: Tensor) -> Tensor:
    """Feature maps ``(N, C, h, w)`` without their most active places (CCT's FeatureDrop).

    A place is dropped where the mean over its channels reaches u times the largest one of the
    image, with one u from U(0.7, 0.9) for all images. ``valid`` is ``(N, h, w)`` bool, False in
    the padding, whose activity does not count.
    """
    attention = features.detach().mean(dim=1, keepdim=True)
    inside = attention.masked_fill(~valid.unsqueeze(1), -torch.inf)
    largest = inside.amax(dim=(2, 3), keepdim=True)
    share = 0.7 + 0.2 * torch.rand((), device=features.device)
    return features * (attention < share * largest)


def add_noise(features: Tensor, size: float = 0.3) -> Tensor:
    """Feature maps ``(N, C, h, w)`` times 1 + n, n from U(-size, size), one n for all images."""
    noise = torch.empty_like(features[0]).uniform_(-size, size)
    return features + features * noise


def erase_objects(features: Tensor, foreground: Tensor, scale: float = 1.0) -> Tensor:
    """Feature maps with a box erased inside of each object (CCT's GuidedCutout).

    An object is a connected component of the foreground whose outline has more than 50 pixels of
    the image; the erased box has 0.4 times the sides of the object's box and lies anywhere in it.

    Args:
        features: ``(N, C, h, w)``.
        foreground: ``(N, h, w)`` bool.
        scale: Pixels of the image for each cell of the grid, along a side.
    """
    num, height, width = foreground.shape
    ids = connected_components(foreground).flatten(1)  # (N, h * w), 0 outside
    inner = -F.max_pool2d(-foreground.unsqueeze(1).float(), 3, stride=1, padding=1).squeeze(1)
    outline = (foreground & (inner == 0)).flatten(1)
    slots = ids.new_zeros(num, height * width + 1)
    length = slots.scatter_add(1, ids, outline.long()) * scale
    rows = torch.arange(height, device=ids.device).repeat_interleave(width).expand_as(ids)
    columns = torch.arange(width, device=ids.device).repeat(height).expand_as(ids)
    top, bottom, left, right = (
        slots.scatter_reduce(1, ids, values, reduce, include_self=False)
        for values in (rows, columns)
        for reduce in ('amin', 'amax')
    )
    erased_rows, erased_columns = (bottom - top + 1) * CUTOUT, (right - left + 1) * CUTOUT
    first_row = top + torch.rand_like(erased_rows) * (bottom - top + 1 - erased_rows)
    first_column = left + torch.rand_like(erased_rows) * (right - left + 1 - erased_columns)
    y0, x0 = first_row.floor().long(), first_column.floor().long()
    y1, x1 = y0 + erased_rows.round().long(), x0 + erased_columns.round().long()
    is_object = (length > 50).float()
    is_object[:, 0] = 0
    # every box adds 1 inside of itself: differences at its corners, then cumulative sums
    stride = width + 1
    corners = torch.zeros(num, (height + 1) * stride, device=ids.device)
    for sign, y, x in ((1, y0, x0), (-1, y0, x1), (-1, y1, x0), (1, y1, x1)):
        where = y.clamp(max=height) * stride + x.clamp(max=width)
        corners.scatter_add_(1, where, sign * is_object)
    boxes = corners.view(num, height + 1, stride).cumsum(1).cumsum(2)[:, :height, :width]
    return features * (boxes < 0.5).unsqueeze(1)


def adversarial_noise(
    maps: Sequence[Tensor],
    predict: Callable[[list[Tensor]], Tensor],
    target: Tensor,
    valid: Tensor,
    size: float = 2.0,
    step: float = 0.1,
) -> list[Tensor]:
    """Noise of a given norm that changes a prediction most (VAT, Miyato et al. 2018).

    One step of the power iteration; computed in float32, whatever autocast says.

    Args:
        maps: Feature maps ``(N, C_j, h_j, w_j)``.
        predict: Logits ``(N, K, h, w)`` from such maps.
        target: ``(N, K, h, w)`` probabilities from which the prediction is to differ.
        valid: ``(N, H, W)`` bool, False in the padding, where it may differ.
        size: L2 norm of the noise, for each image and map.
        step: L2 norm of the random start (1e-6 in the public codes, which float32 features do
            not resolve).

    Returns:
        list[Tensor]: Noise for each map, without gradient.
    """
    device = maps[0].device.type
    with torch.enable_grad(), torch.autocast(device, enabled=False):
        still = [own.detach().float() for own in maps]
        start = [(step * _unit(torch.rand_like(own) - 0.5)).requires_grad_() for own in still]
        logits = predict([own + noise for own, noise in zip(still, start, strict=True)])
        target = target.detach().float()
        divergence = F.kl_div(logits.float().log_softmax(dim=1), target, reduction='none').sum(1)
        divergence = (divergence * resize_nearest(valid, divergence.shape[1:])).sum()
        # maps that the head does not read get no noise
        found = torch.autograd.grad(divergence, start, allow_unused=True, materialize_grads=True)
    return [size * _unit(own) for own in found]


def _unit(values: Tensor) -> Tensor:
    """Each image's map with L2 norm 1; one of zeros stays zero."""
    norm = values.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    return values / norm.clamp(min=1e-30)
