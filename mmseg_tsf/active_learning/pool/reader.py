"""Loads the pool, and groups what can be scored together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.utils.data import Dataset

from ...utils.errors import UserError
from ...utils.seeding import seeded
from ..selection.selectors.base import Selector
from .pool import Pool, PoolImage


@dataclass
class PoolItem:
    """An image as a worker of the loader hands it on.

    Attributes:
        image: The image, with what is known of it.
        inputs: ``(3, h, w)`` uint8 after the pipeline.
        sample: Its data sample.
        prepared: What the selector made of it.
    """

    image: PoolImage
    inputs: Tensor
    sample: SegDataSample
    prepared: np.ndarray | None


class PoolReader(Dataset):
    """Loads images and what selectors make of them; made for workers."""

    def __init__(self, pool: Pool, selector: Selector, seed: int) -> None:
        self.pool, self.selector, self.seed = pool, selector, seed

    def __len__(self) -> int:
        return len(self.pool)

    def __getitem__(self, index: int) -> PoolItem:
        image = self.pool.image(index)
        with seeded(self.seed, index):
            data = self.pool.load(index)
        found = tuple(data['data_samples'].ori_shape)
        if found != image.size:
            raise UserError(
                f'image {image.path} is {image.size} (height, width) in its header and {found} '
                'when loaded, so its EXIF data turn it: save it upright'
            )
        return PoolItem(image, data['inputs'], data['data_samples'], self.selector.prepare(image))


def batches_of_one_size(items: Iterable[PoolItem], batch_size: int) -> Iterator[list[PoolItem]]:
    """Groups items by the size of their inputs; few wait at a time, however many sizes there are.

    Args:
        items: In any order.
        batch_size: Most items in a batch.
    """
    waiting: dict[tuple, list[PoolItem]] = {}
    number = 0
    for item in items:
        own = waiting.setdefault(tuple(item.inputs.shape), [])
        own.append(item)
        number += 1
        if len(own) < batch_size and number < 4 * batch_size:
            continue
        full = max(waiting, key=lambda size: len(waiting[size]))
        number -= len(waiting[full])
        yield waiting.pop(full)
    yield from waiting.values()
