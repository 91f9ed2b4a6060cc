"""Batches whose tensors a loader worker sends in one buffer."""

from __future__ import annotations

import io
import pickle
from multiprocessing.reduction import ForkingPickler

import torch
from torch import Tensor

ALIGNMENT = 64  # bytes


class PackedBatch(dict):
    """Dictionary whose tensors share one buffer when it is sent to another process.

    Each tensor sent on its own costs the training process a connection to the worker, about a
    millisecond; a batch of 4 pairs with partners has some 32 tensors.
    """


def pack(batch: PackedBatch) -> tuple:
    """Reduces a batch for pickling: a pickle without tensors, and one tensor with their bytes."""
    tensors, stream = [], io.BytesIO()
    _Pickler(stream, tensors).dump(dict(batch))
    places, end = [], 0
    for tensor in tensors:
        places.append((end, tensor.dtype, tensor.shape))
        end += -(-tensor.numel() * tensor.element_size() // ALIGNMENT) * ALIGNMENT
    buffer = torch.empty(end, dtype=torch.uint8)
    for place, tensor in zip(places, tensors, strict=True):
        _view(buffer, *place).copy_(tensor)
    return unpack, (stream.getvalue(), buffer, places)


def unpack(pickled: bytes, buffer: Tensor, places: list[tuple]) -> PackedBatch:
    """Restores a batch; its tensors are views of the buffer."""
    return PackedBatch(_Unpickler(io.BytesIO(pickled), buffer, places).load())


ForkingPickler.register(PackedBatch, pack)


def _view(buffer: Tensor, begin: int, dtype: torch.dtype, shape: torch.Size) -> Tensor:
    size = shape.numel() * torch.empty((), dtype=dtype).element_size()
    return buffer[begin : begin + size].view(dtype).view(shape)


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, tensors: list[Tensor]) -> None:
        super().__init__(stream, pickle.HIGHEST_PROTOCOL)
        self.tensors = tensors

    def persistent_id(self, item) -> int | None:
        if type(item) is not Tensor or item.is_cuda or item.is_sparse or item.requires_grad:
            return None
        self.tensors.append(item)
        return len(self.tensors) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, buffer: Tensor, places: list[tuple]) -> None:
        super().__init__(stream)
        self.buffer, self.places = buffer, places

    def persistent_load(self, number: int) -> Tensor:
        return _view(self.buffer, *self.places[number])
