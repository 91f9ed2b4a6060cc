"""Keeps the weights of a checkpoint alone, without running code that may be in it.

    python tools/model_converters/plain_weights.py downloaded.pth weights.pth

For checkpoints that are rejected because they hold Python objects. Tensors and the plain values of
``meta`` are kept; optimisers, logs and objects of any other kind are left out, so a training can
begin with the result (``load_from``), but cannot be resumed from it.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor

from mmseg_tsf.utils.cli import ToolParser, existing_file, run_tool
from mmseg_tsf.utils.errors import UserError, explain_disk_errors

SAFE = {
    'collections': {'OrderedDict'},
    'torch': {'Size', *(n for n, value in vars(torch).items() if isinstance(value, torch.dtype))},
    'torch._utils': {'_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_parameter'},
    'torch.storage': {'UntypedStorage'},
}
"""Names by module that files may use to make tensors."""
PLAIN = (str, int, float, bool, type(None), bytes)


class LeftOut:
    """Stands for every object of a file that is neither a tensor nor a plain value; inert."""

    def __new__(cls, *_, **__) -> LeftOut:
        return super().__new__(cls)

    def __call__(self, *_, **__) -> LeftOut:
        return self

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, value: object) -> None:
        """Ignores a list item."""

    def extend(self, values: object) -> None:
        """Ignores list items."""


class _Unpickler(pickle.Unpickler):
    """Makes tensors; looks up no other function or class that a file names."""

    def find_class(self, module: str, name: str) -> object:
        return super().find_class(module, name) if name in SAFE.get(module, ()) else LeftOut


def _load(file, **kwargs) -> object:
    return _Unpickler(file, **kwargs).load()


def read_inert(path: str) -> object:
    """Content of a checkpoint, with :class:`LeftOut` in place of objects.

    Raises:
        UserError: The file is damaged, or a TorchScript archive.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith('constants.pkl') for name in archive.namelist()):
                raise UserError(f'{path} is a TorchScript archive: give a checkpoint')
    module = SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__=__name__)
    failure = ''
    try:
        return torch.load(path, map_location='cpu', weights_only=False, pickle_module=module)
    except Exception as error:  # the bytes of a file that others wrote can fail in any way
        failure = str(error).split('\n')[0]
    raise UserError(f'{path} is damaged or no checkpoint ({failure}): copy it again')


def plain(value: object) -> object:
    """The plain values in nested dicts, lists and tuples; :class:`LeftOut` for anything else."""
    if isinstance(value, dict):
        items = ((plain(key), plain(own)) for key, own in value.items() if isinstance(key, PLAIN))
        return {key: own for key, own in items if not isinstance(own, LeftOut)}
    if isinstance(value, list | tuple):
        items = [own for own in map(plain, value) if not isinstance(own, LeftOut)]
        return tuple(items) if isinstance(value, tuple) else items
    return value if type(value) in PLAIN else LeftOut()


def convert(content: object, path: str) -> dict:
    """Checkpoint of tensors and plain values alone.

    Raises:
        UserError: There are no weights.
    """
    content = content if isinstance(content, dict) else {}
    weights = content.get('state_dict', content)
    weights = weights if isinstance(weights, dict) else {}
    tensors = {k: v for k, v in weights.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if not tensors:
        raise UserError(f'{path} holds no weights by name: give a checkpoint')
    return dict(meta=plain(content.get('meta', {})) or {}, state_dict=tensors)


def main(argv: Sequence[str] | None = None) -> dict:
    """Entry point; returns the converted checkpoint."""
    parser = ToolParser(__doc__)
    parser.add_argument('checkpoint', type=existing_file, help='checkpoint file')
    parser.add_argument('out', type=Path, help='file to write')
    args = parser.share('--force').parse_args(argv)
    if args.out.exists() and not args.force:
        raise UserError(f'{args.out} exists: name another file or give --force')
    content = read_inert(args.checkpoint)
    converted = convert(content, args.checkpoint)
    with explain_disk_errors(args.out), open(args.out, 'wb') as file:
        torch.save(converted, file)
    kept = len(converted['state_dict'])
    others = set(content) - {'meta', 'state_dict'} if 'state_dict' in content else ()
    left = sorted(map(str, others))
    print(f'{args.out}: {kept} tensors; left out: {", ".join(left) or "nothing"}')
    return converted


if __name__ == '__main__':
    run_tool(main)
