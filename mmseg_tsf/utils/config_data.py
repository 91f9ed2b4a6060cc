"""Dumped configs read as data: nothing in them is run, imported or looked up elsewhere."""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import math
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

import mmengine.registry
import yaml
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry

from .errors import UserError

NAMES = dict(inf=math.inf, nan=math.nan)
"""Bare names that mmengine writes for numbers."""
SCOPES = {'mmengine', *MODULE2PACKAGE}
"""Packages whose registries a config may name."""


def read_config(path: str | Path, needed: Iterable[str] = ()) -> Config:
    """Config of a file that the user has named; a Python file is run.

    Args:
        path: Config file.
        needed: Dotted keys of dicts that must be there.

    Raises:
        UserError: The file, or one that it names as ``_base_``, cannot be read or fails, or a part
            is missing.
    """
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # the file is code of the user
        failure = error
    else:
        _check_parts(cfg, needed, path)
        return cfg
    *_, last = traceback.extract_tb(failure.__traceback__)
    line = f', line {last.lineno}' if last.filename == str(path) else ''
    reason = ' '.join(str(failure).split()) or 'no reason is given'
    if isinstance(failure, UserError):
        raise failure
    raise UserError(
        f'config {path} cannot be read ({type(failure).__name__}{line}: {reason}): correct it'
    )


def _check_parts(cfg: Config, needed: Iterable[str], path: str | Path) -> None:
    for key in needed:
        part = cfg
        for name in key.split('.'):
            part = part.get(name) if isinstance(part, dict | Config) else None
        if not isinstance(part, dict) or not part:
            raise UserError(f'config {path} has no {key}: give the config of a training')


def read_config_data(path: Path) -> Config:
    """Config that a run has dumped.

    Args:
        path: ``.py``, ``.json`` or ``.yaml`` file.

    Raises:
        UserError: The file cannot be read, or it holds more than data.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'config {path} cannot be read: {error}') from None
    return Config(parse_config(text, str(path), path.suffix), filename=str(path))


def parse_config(text: str, name: str, suffix: str = '.py') -> dict:
    """Values in the text of a config as ``Config.dump`` writes it.

    Args:
        text: Assignments of literals, and of ``dict(...)``.
        name: Name of the source for the message.
        suffix: Kind of the text: ``'.py'``, ``'.json'``, ``'.yaml'`` or ``'.yml'``.

    Raises:
        UserError: The text is broken or holds code.
    """
    if not isinstance(text, str):
        raise UserError(f'the config in {name} is no text: give the config file instead')
    try:
        found = _parse(text, suffix)
    except _CodeError as error:
        raise UserError(
            f'the config in {name} holds code in line {error.line}, where a dumped config holds '
            'values only: nothing of it was run; give the dumped config of the run'
        ) from None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, yaml.YAMLError) as e:
        reason = str(e).split('\n')[0]
        raise UserError(f'the config in {name} is broken ({reason}): copy it again') from None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise UserError(f'the config in {name} has no keys: copy it again')
    return found


def _parse(text: str, suffix: str) -> object:
    if suffix == '.json':
        return json.loads(text)
    if suffix in ('.yaml', '.yml'):
        return yaml.safe_load(text)
    found = {}
    for statement in ast.parse(text).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not isinstance(target, ast.Name) or len(statement.targets) > 1:
            raise _CodeError(statement)
        if target.id == '_base_':  # what it names could be code
            raise _CodeError(statement)
        found[target.id] = _value(statement.value)
    return found


def _value(node: ast.expr) -> object:
    """Value of a literal, of ``dict(...)``, or the spelling of a class such as ``torch.optim.SGD``.

    Raises:
        _CodeError: The expression is anything else.
    """
    match node:
        case ast.Constant():
            return node.value
        case ast.List() | ast.Tuple() | ast.Set():
            kind = dict(List=list, Tuple=tuple, Set=set)[type(node).__name__]
            return kind(_value(item) for item in node.elts)
        case ast.Dict() if None not in node.keys:
            keys = (_value(key) for key in node.keys)
            return dict(zip(keys, map(_value, node.values), strict=True))
        case ast.Call(func=ast.Name(id='dict')):
            return _dict(node)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            value = _value(node.operand)
            if isinstance(value, int | float):
                return -value if isinstance(node.op, ast.USub) else value
        case ast.Name():
            return NAMES.get(node.id, node.id)
        case ast.Attribute():
            owner = _value(node.value)
            if isinstance(owner, str) and isinstance(node.value, ast.Name | ast.Attribute):
                return f'{owner}.{node.attr}'
    raise _CodeError(node)


def _dict(node: ast.Call) -> dict:
    found: dict = {}
    for part in node.args:
        value = _value(part)
        if not isinstance(value, dict):
            raise _CodeError(node)
        found.update(value)
    for keyword in node.keywords:
        if keyword.arg is None:
            raise _CodeError(node)
        found[keyword.arg] = _value(keyword.value)
    return found


def check_types(part: object, name: str) -> None:
    """Checks that a config names registered components only, before they are built from it.

    A dotted ``type`` can be any function that Python can import, which mmengine would call.

    Args:
        part: Config, or a part of one.
        name: Name of the source for the message.

    Raises:
        UserError: A type is neither a plain name nor the path of a registered component.
    """
    if isinstance(part, dict):
        for key in ('type', '_scope_'):
            value = part.get(key)
            if isinstance(value, str) and not _is_known(value, is_scope=key == '_scope_'):
                raise UserError(
                    f'{key}={value!r} in the config of {name} is no registered component here, so '
                    'nothing is built from it: give a config file that you trust'
                )
        part = list(part.values())
    if isinstance(part, list | tuple):
        for item in part:
            check_types(item, name)


def _is_known(value: str, is_scope: bool) -> bool:
    scope, _, rest = value.partition('.')
    if is_scope or not rest:
        return not is_scope or value in SCOPES
    if '.' not in rest and scope in SCOPES:  # such as mmpretrain.ConvNeXt
        with contextlib.suppress(ImportError):
            importlib.import_module(f'{scope}.registry')
        return any(rest in registry.module_dict for registry in _registries(scope))
    name = value.rpartition('.')[2]  # the path of a class, as pure-Python configs are dumped
    found = [own.module_dict[name] for own in _registries('mmseg') if name in own.module_dict]
    return any(own.__module__.split('.')[0] == scope for own in found)


def _registries(scope: str) -> Iterator[Registry]:
    """Registries of a package and of mmengine, filled."""
    for root in vars(mmengine.registry).values():
        if isinstance(root, Registry):
            for own in filter(None, (root, root.children.get(scope))):
                own.import_from_location()
                yield own


class _CodeError(Exception):
    """A node of a config's syntax tree that is more than data."""

    def __init__(self, node: ast.AST) -> None:
        super().__init__()
        self.line = getattr(node, 'lineno', '?')
