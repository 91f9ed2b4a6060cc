"""CutMix with random rectangles (Yun et al. 2019; for segmentation French et al. 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...utils.errors import UserError


def random_boxes(
    num_images: int,
    num_boxes: int = 1,
    area: tuple[float, float] = (0.5, 0.5),
    device: torch.device | str = 'cpu',
) -> Tensor:
    """Draws rectangles of a given area and random aspect, as CutMix-Seg's mask generator does.

    The height's share is log-uniform between the area and 1, so that neither side leaves the
    image; several boxes in one image share the area. No value is read back to the host.

    Args:
        num_images: N.
        num_boxes: M, rectangles per image.
        area: Range of the share of the image that the boxes of an image cover in all.
        device: Where the boxes are needed.

    Returns:
        Tensor: ``(N, M, 4)`` top, left, bottom, right as shares of the image in [0, 1].
    """
    low, high = area
    share = low + (high - low) * torch.rand(num_images, num_boxes, device=device)
    height = torch.exp(torch.rand_like(share) * share.log())
    width = share / height
    height, width = height / math.sqrt(num_boxes), width / math.sqrt(num_boxes)
    top = torch.rand_like(share) * (1 - height)
    left = torch.rand_like(share) * (1 - width)
    return torch.stack((top, left, top + height, left + width), dim=-1)


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
        target: ``(N, H, W)`` or ``(N, C, H, W)``.
        source: Same shape as ``target``.

    Returns:
        Tensor: Same shape as ``target``.
    """
    if target.ndim == 4:
        mask = mask.unsqueeze(1)
    return torch.where(mask, source, target)


class BatchCutMix:
    """CutMix of every image with its neighbour in the batch, by one mask for all that is mixed.

    Args:
        images: ``(N, 3, H, W)``, two or more.
        **boxes: ``num_boxes`` and ``area`` of :func:`random_boxes`.

    Raises:
        UserError: One image in the batch.
    """

    def __init__(self, images: Tensor, **boxes) -> None:
        if len(images) < 2:
            raise UserError(
                'CutMix mixes the unlabelled images of one batch: set train_dataloader.batch_size '
                'to 2 or more'
            )
        drawn = random_boxes(len(images), device=images.device, **boxes)
        self.mask = box_mask(drawn, images.shape[2:])

    def __call__(self, values: Tensor) -> Tensor:
        """Mixes images, labels or logits ``(N, ..., H, W)`` with those of the neighbour."""
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
    """Options of random boxes, or ``None``.

    Raises:
        UserError: Such boxes cannot be drawn; the message names the key.
    """
    low, high = (boxes or {}).get('area', (0.5, 0.5))
    if not 0 < low <= high < 1:
        raise UserError(
            f'cutmix.area={(low, high)} must be (low, high) with 0 < low <= high < 1, shares of '
            'the image'
        )
    if (boxes or {}).get('num_boxes', 1) < 1:
        raise UserError(f'cutmix.num_boxes={boxes["num_boxes"]} must be at least 1')
    return boxes
