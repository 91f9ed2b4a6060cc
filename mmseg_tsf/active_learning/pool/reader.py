"""Loads the pool, and groups what can be scored together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.utils.data import Dataset

from ...utils.errors import UserError
from ...utils.seeding import seeded
from .pool import Pool, PoolImage


@dataclass
class PoolItem:
    """An image as a worker of the loader returns it.

    Attributes:
        image: The image, with what is known of it.
        inputs: ``(3, h, w)`` uint8 after the pipeline.
        sample: Its data sample.
        prepared: Result of ``prepare`` of the reader.
    """

    image: PoolImage
    inputs: Tensor
    sample: SegDataSample
    prepared: np.ndarray | None


class PoolReader(Dataset):
    """Loads images of the pool in workers.

    Args:
        pool: The images.
        prepare: Work on an image alone that is slow, such as superpixels; ``None`` for none.
        seed: Seed of the query.
    """

    def __init__(
        self, pool: Pool, prepare: Callable[[PoolImage], np.ndarray | None] | None, seed: int
    ) -> None:
        self.pool, self.prepare, self.seed = pool, prepare, seed

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
                'when loaded: rewrite it without its EXIF data, or correct the loader of the pool'
            )
        prepared = None if self.prepare is None else self.prepare(image)
        return PoolItem(image, data['inputs'], data['data_samples'], prepared)


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
