"""Data preprocessor of batches that are keyed by branch."""

from __future__ import annotations

from itertools import chain

from mmengine.model import BaseDataPreprocessor
from mmseg.registry import MODELS
from torch import nn


@MODELS.register_module()
class SemiDataPreprocessor(BaseDataPreprocessor):
    """Applies MMSeg's data preprocessor to every branch at once.

    A training batch is ``inputs: dict[str, list[Tensor]]`` and
    ``data_samples: dict[str, list[SegDataSample]]``, keyed by branch. The branches are joined for
    the inner preprocessor, so that all come out with one padded size and can be concatenated,
    and are parted again. A plain batch (validation, test) passes straight through.

    Args:
        data_preprocessor: The wrapped model's own preprocessor or its config.
    """

    def __init__(self, data_preprocessor: dict | nn.Module) -> None:
        super().__init__(non_blocking=True)
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        # copies from pinned memory must not make the host wait
        data_preprocessor._non_blocking = True
        self.data_preprocessor = data_preprocessor

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalises, pads and moves to the device; see the class."""
        inputs = data['inputs']
        if not isinstance(inputs, dict):
            return self.data_preprocessor(data, training)
        samples = data['data_samples']
        joined = dict(
            inputs=list(chain.from_iterable(inputs.values())),
            data_samples=list(chain.from_iterable(samples[branch] for branch in inputs)),
        )
        joined = self.data_preprocessor(joined, training)
        sizes = [len(images) for images in inputs.values()]
        parted = dict(zip(inputs, joined['inputs'].split(sizes), strict=True))
        remaining = iter(joined['data_samples'])
        parted_samples = {
            branch: [next(remaining) for _ in range(size)]
            for branch, size in zip(inputs, sizes, strict=True)
        }
        return dict(inputs=parted, data_samples=parted_samples)
