"""Checkpoints read as tensors and plain values: no code in them is run."""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from .errors import UserError

TRUST = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
"""Environment variable of torch that lets checkpoints run code; of use for trusted files alone."""
CAN_RESTRICT = hasattr(torch.serialization, 'add_safe_globals')
"""Whether torch can be told which types a checkpoint may hold; torch < 2.4 cannot."""


def read_checkpoint(path: str | Path, map_location: object = 'cpu') -> dict:
    """Content of a checkpoint file.

    Args:
        path: File that mmengine, or ``torch.save``, has written.
        map_location: Device of the tensors, as for ``torch.load``.

    Raises:
        UserError: There is no such file, it is damaged, or it holds objects whose reading would
            run code; none is run.
    """
    if not Path(path).is_file():
        raise UserError(f'checkpoint {path} does not exist or is not a file')
    with _reading(str(path)) as weights_only:
        return _restore(torch.load(path, map_location=map_location, weights_only=weights_only))


def read_url(
    url: str, model_dir: str | None = None, map_location: object = None, progress: bool = True
) -> dict:
    """Content of a checkpoint that is downloaded; see :func:`read_checkpoint`.

    Args:
        url: Address of the file.
        model_dir: Folder that keeps the download; torch's own by default.
        map_location: Device of the tensors.
        progress: Whether the progress of the download is shown.
    """
    with _reading(url) as weights_only:
        content = torch.hub.load_state_dict_from_url(
            url, model_dir, map_location, progress, weights_only=weights_only
        )
        return _restore(content)


@contextlib.contextmanager
def _reading(name: str) -> Iterator[bool]:
    """Context in which torch reads one checkpoint; yields the value of ``weights_only``."""
    if not CAN_RESTRICT or os.getenv(TRUST, '0').lower() in ('1', 'y', 'yes', 'true'):
        yield False
        return
    failure, known = None, torch.serialization.get_safe_globals()
    names = {_full_name(own) for own in _PROXIES}
    others = [own for own in known if _full_name(own) not in names]
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals([slice, *_PROXIES, *others])
    try:
        yield True
    except Exception as error:  # the bytes of a file that others wrote can fail in any way
        failure = error
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(known)
    if failure is not None:
        _refuse(name, failure)


def _full_name(own: object) -> str:
    return own[1] if isinstance(own, tuple) else f'{own.__module__}.{own.__qualname__}'


def _refuse(name: str, error: Exception) -> NoReturn:
    text = str(error).strip()
    reason = re.search(r'WeightsUnpickler error:\s*(.*)', text)
    reason = (reason[1] if reason else text.split('\n')[0]).split(' was not an allowed')[0]
    if isinstance(error, pickle.UnpicklingError) and re.search('GLOBAL|reduce|global', text):
        raise UserError(
            f'{name} cannot be read as a checkpoint of tensors and plain values ({reason}), and '
            'nothing of it was run: keep its weights alone with '
            f'tools/model_converters/plain_weights.py, or set {TRUST}=1 if you trust who wrote it'
        )
    if isinstance(error, OSError):
        raise UserError(f'{name} cannot be read: {reason}')
    raise UserError(f'{name} is damaged or no checkpoint ({reason}): copy or write it again')


def _proxy(module: str, name: str | None = None):
    """Makes torch find a function or class under the name that files have for another."""

    def rename(own):
        own.__module__ = module
        own.__name__ = own.__qualname__ = name or own.__name__
        return own

    return rename


# mmengine keeps the log history in checkpoints, and with it numpy arrays. Their own types are no
# safe ones: ``getattr``, which the history needs, reaches the module of builtins, the state of a
# history can replace its methods, and ``numpy.ndarray`` makes objects of any bytes. These stand-ins
# only collect what a file says, which is then checked and built anew.


@_proxy('numpy', 'dtype')
class _Dtype:
    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        self.code, self.order = code, '='

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    def build(self) -> np.dtype:
        if not re.fullmatch(r'[<>=|]?[biufcSU?]\d*', self.code) or self.order not in '<>=|':
            raise pickle.UnpicklingError(f'a numpy type is {self.code!r}, no number or text')
        return np.dtype(self.code).newbyteorder(self.order)


@_proxy('numpy', 'ndarray')
class _Array:
    state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def build(self) -> np.ndarray:
        _, shape, dtype, by_column, content = self.state
        dtype = dtype.build()
        if math.prod(shape) * dtype.itemsize != len(content):
            raise pickle.UnpicklingError(f'an array of shape {shape} holds {len(content)} bytes')
        flat = np.frombuffer(content, dtype) if content else np.empty(0, dtype)
        return flat.reshape(shape, order='F' if by_column else 'C').copy()


@_proxy('mmengine.logging.history_buffer', 'HistoryBuffer')
class _History:
    state: dict = {}

    def __setstate__(self, state: dict) -> None:
        self.state = state

    def build(self) -> HistoryBuffer:
        values, counts = (_restore(self.state[f'_{key}_history']) for key in ('log', 'count'))
        found = HistoryBuffer([], [], self.state.get('max_length', 1000000))
        found._log_history, found._count_history = np.asarray(values), np.asarray(counts)
        return found


class _Scalar:
    def __init__(self, dtype: _Dtype, content: bytes) -> None:
        self.dtype, self.content = dtype, content

    def build(self) -> np.generic:
        return np.frombuffer(self.content, self.dtype.build(), 1)[0]


@_proxy('builtins', 'getattr')
def _method(owner: object, name: str) -> None:
    if owner is not _History:  # the methods of a history are known
        raise pickle.UnpicklingError(f'GLOBAL builtins.getattr asks for {name!r} of {owner!r}')


def _named(module: str) -> list:
    @_proxy(module)
    def _reconstruct(kind: type, shape: tuple, code: bytes) -> _Array:
        return _Array()

    @_proxy(module)
    def scalar(dtype: _Dtype, content: bytes) -> _Scalar:
        return _Scalar(dtype, content)

    return [_reconstruct, scalar]


_BUILT = (_Array, _Scalar, _History, _Dtype)
_PROXIES = [_Dtype, _Array, _History, _method]
_PROXIES += [*_named('numpy.core.multiarray'), *_named('numpy._core.multiarray')]  # numpy 1, 2


def _restore(value: object, seen: dict | None = None) -> object:
    """Content with arrays, numbers and histories in place of their stand-ins."""
    seen = {} if seen is None else seen
    if isinstance(value, _BUILT):
        if id(value) not in seen:
            seen[id(value)] = value, value.build()
        return seen[id(value)][1]
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(_restore(item, seen) for item in value)
    if not isinstance(value, dict | list) or id(value) in seen:
        return value
    seen[id(value)] = value, value
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        value[key] = _restore(item, seen)
    return value
