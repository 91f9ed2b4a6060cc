"""The settings of a training: what runs, and resumed runs, are compared by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mmengine.config import Config
from mmseg.registry import HOOKS

SETTINGS = (
    'model',
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'custom_hooks',
)
"""Parts of a config that say how a run is trained."""
STOCK_HOOKS = (
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
    'visualization',
)
"""Keys of ``default_hooks`` whose hooks change nothing that is learnt."""


def training_settings(cfg: Config) -> dict:
    """Parts of a config that say how a run is trained, hooks from either place included."""
    parts = {name: cfg.get(name) for name in SETTINGS}
    hooks = cfg.get('default_hooks') or {}
    hooks = {key: hook for key, hook in hooks.items() if hook and key not in STOCK_HOOKS}
    return {**parts, 'default_hooks': hooks} if hooks else parts


def hook_configs(cfg: Config, kind: type) -> Iterator[dict]:
    """Configs of the hooks of a class, or one derived from it, in ``default_hooks`` and
    ``custom_hooks``."""
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
    for hook in filter(None, hooks):
        own = HOOKS.get(hook['type']) if isinstance(hook['type'], str) else hook['type']
        if own is not None and issubclass(own, kind):
            yield hook


def kind_name(part: dict) -> str:
    """Name of the type of a component's config, without the module or scope in front.

    A type is a name, a path such as ``mmseg.datasets.BaseSegDataset``, or, in configs that are
    written in Python alone, the class itself.
    """
    return _bare(part.get('type'))


def _bare(kind: str | type | None) -> str:
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.rpartition('.')[2]


def flatten(value, prefix: str = '') -> dict[str, str]:
    """Nested settings as ``{'model.ramp': '(0.1, 0.4)'}``; lists of dicts by position."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)) and any(isinstance(v, dict) for v in value):
        items = enumerate(value)
    else:
        if isinstance(value, type) or prefix.rpartition('.')[2] == 'type':
            return {prefix: _bare(value)}
        return {prefix: str(list(value) if isinstance(value, tuple) else value)}
    flat: dict[str, str] = {}
    for key, part in items:
        flat.update(flatten(part, f'{prefix}.{key}' if prefix else str(key)))
    return flat


def dist_timeout(cfg: dict) -> timedelta | None:
    """Longest time that ranks wait for each other; ``None`` for the default of torch."""
    seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
    return seconds and timedelta(seconds=seconds)
