"""CutMix with random rectangles (Yun et al. 2019; for segmentation French et al. 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...utils.errors import UserError
from ..utils.grid import resize_nearest

TRIES = 32
"""Boxes of a given aspect that are drawn for each image; the first one inside of it counts."""


def random_boxes(
    num_images: int,
    num_boxes: int = 1,
    area: tuple[float, float] = (0.5, 0.5),
    aspect: tuple[float, float] | None = None,
    device: torch.device | str = 'cpu',
) -> Tensor:
    """Draws rectangles of a given area. No value is read back to the host.

    Without ``aspect``, as CutMix-Seg's mask generator does: the height's share is log-uniform
    between the area and 1, so that neither side leaves the image; several boxes in one image
    share the area. With it, as UniMatch does: area, aspect and corner are uniform, and drawn again
    where the box leaves the image.

    Args:
        num_images: N.
        num_boxes: M, rectangles per image.
        area: Range of the share of the image that the boxes of an image cover in all.
        aspect: Range of a box's height divided by its width, where both are shares.
        device: Where the boxes are needed.

    Returns:
        Tensor: ``(N, M, 4)`` top, left, bottom, right as shares of the image in [0, 1].
    """
    low, high = area
    if aspect is None:
        share = low + (high - low) * torch.rand(num_images, num_boxes, device=device)
        height = torch.exp(torch.rand_like(share) * share.log())
        width = share / height
        height, width = height / math.sqrt(num_boxes), width / math.sqrt(num_boxes)
        top = torch.rand_like(share) * (1 - height)
        left = torch.rand_like(share) * (1 - width)
        return torch.stack((top, left, top + height, left + width), dim=-1)
    shape = num_images, num_boxes, TRIES
    share, ratio, top, left = torch.rand(4, *shape, device=device)
    share = (low + (high - low) * share) / num_boxes
    ratio = aspect[0] + (aspect[1] - aspect[0]) * ratio
    height, width = (share * ratio).sqrt(), (share / ratio).sqrt()
    boxes = torch.stack((top, left, top + height, left + width), dim=-1)
    fits = (boxes[..., 2:] <= 1).all(dim=-1)  # (N, M, TRIES)
    first = fits.int().argmax(dim=2)[..., None, None].expand(-1, -1, 1, 4)
    return boxes.gather(2, first).squeeze(2).clamp(max=1)


def box_mask(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Rasterises boxes: a pixel belongs to a box when its centre does.

    Args:
        boxes: ``(N, M, 4)`` as :func:`random_boxes` returns them.
        size: Height and width in pixels.

    Returns:
        Tensor: ``(N, H, W)`` bool, the union of each image's boxes.
    """
    height, width = size
    rows = (torch.arange(height, device=boxes.device) + 0.5) / height
    columns = (torch.arange(width, device=boxes.device) + 0.5) / width
    top, left, bottom, right = boxes.unsqueeze(-1).unbind(-2)  # each (N, M, 1)
    in_rows = (rows >= top) & (rows < bottom)  # (N, M, H)
    in_columns = (columns >= left) & (columns < right)  # (N, M, W)
    return (in_rows.unsqueeze(-1) & in_columns.unsqueeze(-2)).any(dim=1)


def mix(mask: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """Pastes ``source`` into ``target`` where ``mask`` is set.

    Images, labels and weights of one step all go through here with one mask, so that they can
    not be mixed differently.

    Args:
        mask: ``(N, H, W)`` bool.
        target: ``(N, h, w)`` or ``(N, C, h, w)``; where that is another size, the nearest value
            of the mask counts.
        source: Same shape as ``target``.

    Returns:
        Tensor: Same shape as ``target``.
    """
    if target.shape[-2:] != mask.shape[-2:]:
        mask = resize_nearest(mask, target.shape[-2:])
    if target.ndim == 4:
        mask = mask.unsqueeze(1)
    return torch.where(mask, source, target)


class BatchCutMix:
    """CutMix of every image with its neighbour in the batch, by one mask for all that is mixed.

    Args:
        images: ``(N, 3, H, W)``, two or more.
        probability: Share of the images that are mixed.
        **boxes: ``num_boxes``, ``area`` and ``aspect`` of :func:`random_boxes`.

    Raises:
        UserError: One image in the batch.
    """

    def __init__(self, images: Tensor, probability: float = 1.0, **boxes) -> None:
        if len(images) < 2:
            raise UserError(
                'CutMix mixes the unlabelled images of one batch: set train_dataloader.batch_size '
                'to 2 or more'
            )
        drawn = random_boxes(len(images), device=images.device, **boxes)
        self.mask = box_mask(drawn, images.shape[2:])
        if probability < 1:
            chosen = torch.rand(len(images), 1, 1, device=images.device) < probability
            self.mask = self.mask & chosen

    def __call__(self, values: Tensor) -> Tensor:
        """Mixes ``(N, ..., h, w)`` images, labels or features with those of the neighbour."""
        return mix(self.mask, values, values.roll(1, dims=0))


class PairCutMix:
    """Pastes the second half of what it is given into the first, by one mask for all.

    Args:
        mask: ``(N, H, W)`` bool, True where the second half is taken.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def __call__(self, values: Tensor) -> Tensor:
        """Mixes ``(2N, ..., H, W)`` to ``(N, ..., H, W)``."""
        num = len(self.mask)
        return mix(self.mask, values[:num], values[num:])


def check_cutmix(boxes: dict | None) -> dict | None:
    """Options of :class:`BatchCutMix`, or ``None``.

    Raises:
        UserError: Such boxes cannot be drawn; the message names the key.
    """
    options = boxes or {}
    low, high = options.get('area', (0.5, 0.5))
    if not 0 < low <= high < 1:
        raise UserError(
            f'cutmix.area={(low, high)} must be (low, high) with 0 < low <= high < 1, shares of '
            'the image'
        )
    if options.get('num_boxes', 1) < 1:
        raise UserError(f'cutmix.num_boxes={options["num_boxes"]} must be at least 1')
    least, most = options.get('aspect') or (1, 1)
    if not 0 < least <= most:
        raise UserError(
            f'cutmix.aspect={(least, most)} must be (low, high) with 0 < low <= high, height '
            'divided by width'
        )
    probability = options.get('probability', 1.0)
    if not 0 < probability <= 1:
        raise UserError(f'cutmix.probability={probability} must lie in (0, 1]')
    return boxes
