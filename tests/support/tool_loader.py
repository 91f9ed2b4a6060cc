"""The command-line tools as modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from unittest import mock

from mmseg_tsf.utils.cli import ToolParser

ROOT = Path(__file__).parents[2]


def load_tool(name: str) -> ModuleType:
    """A tool by its path below ``tools/``."""
    path = ROOT / 'tools' / name
    spec = importlib.util.spec_from_file_location(f'tool_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def options_of(name: str) -> set[str]:
    """Options of a tool's parser, read when the tool parses its command line."""
    with mock.patch.object(ToolParser, 'parse_args', autospec=True) as parse:
        parse.side_effect = SystemExit
        try:
            load_tool(name).main()
        except SystemExit:
            (parser,) = parse.call_args.args[:1]
    return set(parser._option_string_actions)
