"""The settings of a training, flat: what runs and resumed runs are compared by."""

from __future__ import annotations

SETTINGS = (
    'model',
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'custom_hooks',
)
"""Parts of a config that say how a run is trained."""


def flatten(value, prefix: str = '') -> dict[str, str]:
    """Nested settings as ``{'model.ramp': '(0.1, 0.4)'}``; lists of dicts by position."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)) and any(isinstance(v, dict) for v in value):
        items = enumerate(value)
    else:
        return {prefix: str(list(value) if isinstance(value, tuple) else value)}
    flat: dict[str, str] = {}
    for key, part in items:
        flat.update(flatten(part, f'{prefix}.{key}' if prefix else str(key)))
    return flat
