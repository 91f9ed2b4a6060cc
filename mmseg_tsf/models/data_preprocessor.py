"""Data preprocessor of batches that are keyed by branch."""

from __future__ import annotations

from itertools import chain

import torch
from mmengine.model import BaseDataPreprocessor
from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..utils.settings import kind_name


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
        joined = self._preprocess(joined, training)
        sizes = [len(images) for images in inputs.values()]
        parted = dict(zip(inputs, joined['inputs'].split(sizes), strict=True))
        remaining = iter(joined['data_samples'])
        parted_samples = {
            branch: [next(remaining) for _ in range(size)]
            for branch, size in zip(inputs, sizes, strict=True)
        }
        return dict(inputs=parted, data_samples=parted_samples)

    def _preprocess(self, data: dict, training: bool) -> dict:
        """What the inner preprocessor makes of a batch.

        Stock MMSeg normalises image by image; all pixels are normalised together here: the same
        numbers by a handful of operations instead of four for each image.
        """
        inner = self.data_preprocessor
        if type(inner) is not SegDataPreProcessor or not _are_bytes(data['inputs']):
            return inner(data, training)
        data = self.cast_data(data)
        data['inputs'] = _normalise(inner, data['inputs'])
        switches = channel_conversion(inner), '_enable_normalize'
        before = [getattr(inner, switch) for switch in switches]
        try:
            for switch in switches:
                setattr(inner, switch, False)
            return inner(data, training)
        finally:
            for switch, value in zip(switches, before, strict=True):
                setattr(inner, switch, value)


def _are_bytes(images: list[Tensor]) -> bool:
    """Whether all are ``(C, H, W)`` uint8 with the same channels."""
    kinds = {(image.dtype, image.ndim, len(image)) for image in images}
    return len(kinds) == 1 and images[0].dtype == torch.uint8 and images[0].ndim == 3


def _normalise(inner: SegDataPreProcessor, images: list[Tensor]) -> list[Tensor]:
    """The first steps of MMSeg's preprocessor on all images at once."""
    pixels = torch.cat([image.flatten(1) for image in images], dim=1)
    if getattr(inner, channel_conversion(inner)) and len(pixels) == 3:
        pixels = pixels[[2, 1, 0]]
    pixels = pixels.float()
    if inner._enable_normalize:
        pixels = pixels.sub_(inner.mean.view(-1, 1)).div_(inner.std.view(-1, 1))
    shapes = [image.shape for image in images]
    parts = pixels.split([shape[1:].numel() for shape in shapes], dim=1)
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def channel_conversion(preprocessor: torch.nn.Module) -> str:
    """Name of the attribute by which a data preprocessor swaps BGR and RGB.

    MMSegmentation 1.2.2 calls it ``channel_conversion``, the maintained stack
    ``_channel_conversion`` as in mmengine.
    """
    names = 'channel_conversion', '_channel_conversion'
    return next(name for name in names if hasattr(preprocessor, name))


def semi_preprocessor(config: dict | None) -> dict:
    """Config of a preprocessor of batches by branch around that of a segmentor."""
    config = config or dict(type='SegDataPreProcessor', size_divisor=1)
    if kind_name(config) == 'SemiDataPreprocessor':
        return config
    return dict(type='SemiDataPreprocessor', data_preprocessor=config)
