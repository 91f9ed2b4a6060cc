"""Check of a config before anything is built: types, options and files of weights."""

from __future__ import annotations

import difflib
import inspect
import os.path as osp
from collections.abc import Iterable, Iterator

import mmseg.registry
from mmengine.config import Config
from mmengine.registry import Registry
from torch.utils.data import DataLoader

from ...active_learning.registry import ORACLES, QUERY_STRATEGIES, SELECTORS
from ...utils.errors import UserError
from ...utils.settings import kind_name

SECTIONS = {
    'model': 'MODELS',
    'tta_model': 'MODELS',
    'optim_wrapper': 'OPTIM_WRAPPERS',
    'optim_wrapper.optimizer': 'OPTIMIZERS',
    'train_cfg': 'LOOPS',
    'val_cfg': 'LOOPS',
    'test_cfg': 'LOOPS',
    'val_evaluator': 'METRICS',
    'test_evaluator': 'METRICS',
    'default_hooks': 'HOOKS',
    'custom_hooks': 'HOOKS',
    'visualizer': 'VISUALIZERS',
    'param_scheduler': 'PARAM_SCHEDULERS',
    'log_processor': 'LOG_PROCESSORS',
    'model_wrapper_cfg': 'MODEL_WRAPPERS',
    **{
        f'{loader}.{part}': registry
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
        for part, registry in (('dataset', 'DATASETS'), ('sampler', 'DATA_SAMPLERS'))
    },
}
"""Registry of the components in each section that a runner builds."""
REGISTRIES: list[Registry] = [
    *(value for value in vars(mmseg.registry).values() if isinstance(value, Registry)),
    QUERY_STRATEGIES,
    SELECTORS,
    ORACLES,
]
BUILDER_OPTIONS = {
    'HOOKS': {'priority'},
    'OPTIM_WRAPPERS': {'constructor', 'paramwise_cfg'},
    'PARAM_SCHEDULERS': {'convert_to_iter_based'},
    'LOOPS': {'by_epoch'},
}
"""Options that the builder of a registry takes out before it calls the constructor."""
LOADER_OPTIONS = {
    'dataset',
    'disable_subprocess_warning',
    'num_batch_per_epoch',
    'seed',
    *inspect.signature(DataLoader).parameters,
}
CHECKED_PACKAGES = ('mmseg_tsf', 'mmseg', 'mmcv.transforms', 'mmengine', 'torch.optim')
"""Packages whose constructors get the options of a config as they are."""
OPEN_TYPES = ('Albu',)
"""Components with parts of another library in their options."""


def load_config(path: str, options: dict | None = None) -> Config:
    """Config of a file with the overrides of a command line, checked.

    Args:
        path: Config file.
        options: Overrides by dotted key.

    Raises:
        UserError: See :func:`check_config`.
    """
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options or {})
    check_config(cfg)
    return cfg


def check_config(cfg: Config) -> None:
    """Checks the types and the options of all components that a runner builds from a config.

    What cannot be decided without building is accepted: components of other packages, options of
    constructors that pass them on, and configs of another default scope than MMSeg's.

    Raises:
        UserError: A type is not registered or its constructor has no such option; the message
            names the key and close matches.
    """
    if cfg.get('default_scope') != 'mmseg':
        return
    for section, registry in SECTIONS.items():
        part = cfg
        for key in section.split('.'):
            part = part.get(key) if isinstance(part, dict | Config) else None
        parts = part.items() if section == 'default_hooks' and part else enumerate(_as_list(part))
        for key, own in parts:
            single = own is part
            _check_component(own, section if single else f'{section}.{key}', registry)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        _check_keys(cfg.get(name) or {}, name, 'a dataloader', LOADER_OPTIONS)


def _as_list(part: object) -> list:
    return part if isinstance(part, list) else [part]


def _check_component(part: object, path: str, registry: str | None = None) -> None:
    """Checks a component and what it is built from.

    Args:
        part: Value in the config; anything else than a dict or list is accepted.
        path: Its key.
        registry: Name of MMSeg's registry that builds it, if known.
    """
    if isinstance(part, list | tuple):
        for i, own in enumerate(part):
            _check_component(own, f'{path}.{i}')
    if not isinstance(part, dict):
        return
    kind = part.get('type')
    component = None
    if kind is not None:
        component = _find(kind, path, registry)
        if component is None or kind in OPEN_TYPES or not _is_checked(component):
            return
        options = _options_of(component)
        layer = registry is None and path.endswith('_cfg')  # its builder has options of its own
        if options is not None and not layer:
            known = options | BUILDER_OPTIONS.get(registry, set())
            _check_keys(part, path, component.__name__, known)
    for key, own in part.items():
        if f'{path}.{key}' not in SECTIONS:
            _check_component(own, f'{path}.{key}')


def _find(kind: object, path: str, registry: str | None) -> object:
    """Component of a type; ``None`` where several registries or another scope may have it."""
    if not isinstance(kind, str):
        return kind if inspect.isclass(kind) else None
    if '.' in kind:
        return None
    places = [getattr(mmseg.registry, registry)] if registry else REGISTRIES
    found = {id(own): own for own in (_get(place, kind) for place in places) if own is not None}
    if found:
        return next(iter(found.values())) if len(found) == 1 else None
    if registry == 'METRICS':
        return _find(kind, path, 'EVALUATOR')
    where = f'is no {places[0].name} of' if registry else 'is not registered in'
    names = [n for place in places for own in _with_parents(place) for n in own.module_dict]
    raise UserError(
        f'{path}.type={kind!r} {where} mmseg or this package'
        f'{_suggestion(kind, names) or ": correct it, or import its module with custom_imports"}'
    )


def _get(registry: Registry, kind: str) -> object:
    registry.import_from_location()
    tables = (own.module_dict for own in _with_parents(registry))
    return next((table[kind] for table in tables if kind in table), None)


def _with_parents(registry: Registry | None) -> Iterator[Registry]:
    while registry is not None:
        yield registry
        registry = registry.parent


def _is_checked(component: object) -> bool:
    module = f'{getattr(component, "__module__", "")}.'
    return inspect.isclass(component) and module.startswith(
        tuple(f'{p}.' for p in CHECKED_PACKAGES)
    )


def _options_of(component: type) -> set[str] | None:
    """Options of a constructor; ``None`` if it may take any.

    ``**kwargs`` of our own classes go to the next constructor in the method resolution order.
    """
    options: set[str] = set()
    for owner in component.__mro__:
        if '__init__' not in vars(owner):
            continue
        parameters = list(inspect.signature(owner.__init__).parameters.values())[1:]
        options.update(p.name for p in parameters)
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            return options
        if not owner.__module__.startswith('mmseg_tsf.'):
            return None
    return None


def _check_keys(part: dict, path: str, owner: str, known: set[str]) -> None:
    for key in part:
        if key not in known and key not in ('type', '_scope_'):
            found = _suggestion(key, known) or f'; its options are {", ".join(sorted(known))}'
            raise UserError(f'{path}.{key}: no such option of {owner}{found}')


def _suggestion(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f', did you mean {close[0]}?' if close else ''


def check_weights(cfg: Config) -> None:
    """Checks that every local file of weights in a config exists; URLs are left alone.

    Raises:
        UserError: A file is missing; the message names its key.
    """
    for key, path in [('load_from', cfg.get('load_from')), *_pretrained(cfg.model, 'model')]:
        if isinstance(path, str) and '://' not in path and not osp.isfile(path):
            raise UserError(
                f'{key}={path!r} does not exist: put the weights there, correct the path, or set '
                f'{key}=None'
            )


def _pretrained(part: object, key: str) -> Iterator[tuple[str, object]]:
    """Keys and values of all weights in a part of a model's config."""
    if isinstance(part, list | tuple):
        for i, own in enumerate(part):
            yield from _pretrained(own, f'{key}.{i}')
    if isinstance(part, dict):
        if kind_name(part) in ('Pretrained', 'PretrainedInit'):
            yield f'{key}.checkpoint', part.get('checkpoint')
        if isinstance(part.get('pretrained'), str):
            yield f'{key}.pretrained', part['pretrained']
        for name, own in part.items():
            yield from _pretrained(own, f'{key}.{name}')
