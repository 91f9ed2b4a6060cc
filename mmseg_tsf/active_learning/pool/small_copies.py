"""Small copies of images, read once and kept in a file that is mapped into memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from ...utils.errors import explain_disk_errors
from ...utils.progress import track
from ...utils.stopping import worker_init
from .pool import Pool
from .reader import PoolReader


class SmallCopies(Dataset):
    """The images of some pools, one pool after the other, squeezed into a square.

    Args:
        pools: The images, as their pipelines load them.
        size: Side of the square in pixels.
        seed: Seed of the query.
    """

    def __init__(self, pools: Sequence[Pool], size: int, seed: int) -> None:
        self.images = ConcatDataset([PoolReader(pool, None, seed) for pool in pools])
        self.size = size

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        """``(3, size, size)`` uint8."""
        return squeeze(self.images[index].inputs, self.size)

    def write(self, path: Path, num_workers: int, tick: Callable[[], object]) -> np.ndarray:
        """Writes the copies to a file, from where a killed process has stopped on.

        Args:
            path: The file; what it holds already must be copies of the same images.
            num_workers: Number of workers that load images.
            tick: Function that is called after each image.

        Returns:
            np.ndarray: ``(len(self), 3, size, size)`` uint8, mapped from the file.

        Raises:
            StoreError: The disk rejects the write.
            UserError: An image cannot be used; see ``PoolReader``.
        """
        shape = (len(self), 3, self.size, self.size)
        with explain_disk_errors(path), open(path, 'ab') as file:
            done = file.tell() // (3 * self.size**2)
            file.truncate(done * 3 * self.size**2)  # a copy that was written in part
            loader = DataLoader(
                self,
                batch_size=None,
                sampler=range(done, len(self)),
                num_workers=num_workers,
                worker_init_fn=worker_init(),
                generator=torch.Generator(),  # else it draws from the global one
            )
            say = functools.partial(print_log, logger='current')
            for image in track(loader, 'Reading small copies of all images', say=say):
                file.write(image.numpy().tobytes())
                tick()
        return np.memmap(path, np.uint8, 'r', shape=shape)


def squeeze(image: Tensor, size: int) -> np.ndarray:
    """An image resized to a square by the mean over the area of each new pixel.

    Args:
        image: ``(3, H, W)`` uint8.
        size: Side of the square in pixels.

    Returns:
        np.ndarray: ``(3, size, size)`` uint8.
    """
    last = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    small = cv2.resize(last, (size, size), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1))
