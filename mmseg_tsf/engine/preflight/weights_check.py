"""Whether the weights that a training starts from are there."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterator

from mmengine.config import Config

from ...utils.errors import UserError


def check_weights(cfg: Config) -> None:
    """Looks for every local file of weights that a config names; addresses are left alone.

    Raises:
        UserError: A file is missing; names the key and the mend.
    """
    for key, path in [('load_from', cfg.get('load_from')), *_pretrained(cfg.model, 'model')]:
        if isinstance(path, str) and '://' not in path and not osp.isfile(path):
            raise UserError(
                f'{key}={path!r} does not exist: put the weights there, correct the path, or set '
                f'{key}=None'
            )


def _pretrained(part: object, key: str) -> Iterator[tuple[str, object]]:
    """Keys and values of all weights of the parts of a model."""
    if isinstance(part, list | tuple):
        for i, own in enumerate(part):
            yield from _pretrained(own, f'{key}.{i}')
    if isinstance(part, dict):
        if part.get('type') == 'Pretrained':
            yield f'{key}.checkpoint', part.get('checkpoint')
        if isinstance(part.get('pretrained'), str):
            yield f'{key}.pretrained', part['pretrained']
        for name, own in part.items():
            yield from _pretrained(own, f'{key}.{name}')
