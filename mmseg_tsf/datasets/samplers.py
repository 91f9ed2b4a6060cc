"""Sampler whose indices carry the epoch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from mmengine.dataset import InfiniteSampler
from mmseg.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class SemiInfiniteSampler(InfiniteSampler):
    """``InfiniteSampler`` whose indices carry the epoch: ``epoch * len(dataset) + index``.

    :class:`SemiDataset` seeds each item by its epoch. Epochs count from 1, which distinguishes
    these indices from those of other samplers. With :meth:`skip` a resumed run reads no batch
    again.

    Args:
        dataset: Data set; its ``seed`` is set to that of the sampler if it is ``None``.
        shuffle: Whether to shuffle in every epoch.
        seed: Seed of the order; set by the runner.
    """

    def __init__(self, dataset, shuffle: bool = True, seed: int | None = None) -> None:
        super().__init__(dataset, shuffle=shuffle, seed=seed)
        if getattr(dataset, 'seed', 0) is None:
            dataset.seed = self.seed

    def _infinite_indices(self) -> Iterator[int]:
        generator = torch.Generator()
        generator.manual_seed(self.seed)
        for epoch in itertools.count(1):
            if self.shuffle:
                order = torch.randperm(self.size, generator=generator)
            else:
                order = torch.arange(self.size)
            yield from (order + epoch * self.size).tolist()

    def skip(self, num_samples: int) -> None:
        """Skips the first ``num_samples`` indices of this rank."""
        self.indices = itertools.islice(self._indices_of_rank(), num_samples, None)
