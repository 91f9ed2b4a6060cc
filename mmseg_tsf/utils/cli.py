"""Command lines of the tools: their parsers, and how they end after a mistake."""

from __future__ import annotations

import argparse
import os
import os.path as osp
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from mmengine.config import DictAction

from .checkpoint_files import check_checkpoint
from .errors import REMEDIES, UserError
from .processes import exit_without_destructors, leave_process_group
from .stopping import Stopped


def existing_file(path: str) -> str:
    """Argument type: path of an existing file, or a URL.

    Raises:
        argparse.ArgumentTypeError: The file does not exist.
    """
    if '://' not in path and not osp.isfile(path):
        raise argparse.ArgumentTypeError(f'{path} does not exist or is not a file')
    return path


def whole_checkpoint(path: str) -> str:
    """Argument type: path of a checkpoint that is neither cut off nor altered, or a URL.

    Raises:
        argparse.ArgumentTypeError: The file does not exist or is damaged.
    """
    try:
        check_checkpoint(existing_file(path))
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return path


def existing_folder(path: str) -> Path:
    """Argument type: path of an existing folder.

    Raises:
        argparse.ArgumentTypeError: The folder does not exist.
    """
    if not osp.isdir(path):
        raise argparse.ArgumentTypeError(f'{path} does not exist or is not a folder')
    return Path(path)


SHARED = {
    'config': dict(type=existing_file, help='config file'),
    'checkpoint': dict(type=whole_checkpoint, help='checkpoint file, written with that config'),
    'work_dir': dict(type=Path, help='folder of the run'),
    '--out': dict(flags=['-o'], type=Path),
    '--work-dir': dict(help='folder for logs and checkpoints (work_dirs/<config name>)'),
    '--cfg-options': dict(
        nargs='+', action=DictAction, default={}, metavar='KEY=VALUE', help='config overrides'
    ),
    '--seed': dict(type=int, default=0, help='seed of the random numbers (%(default)s)'),
    '--json': dict(metavar='FILE', help='JSON file that the result is written to as well'),
    '--repeats': dict(type=int, help='number of turns, of which the median counts (%(default)s)'),
    '--force': dict(action='store_true', help='replace existing files'),
    '--images': dict(type=int, help='number of images, evenly spread over the list (all)'),
    '--min-confidence': dict(
        type=float, default=0.7, help='confidence below which labels are flagged (%(default)s)'
    ),
    '--device': dict(choices=('cpu', 'cuda'), help='device to run on (the GPU if there is one)'),
    '--launcher': dict(
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='program that started the processes; set by dist_*.sh and slurm_*.sh',
    ),
    '--local-rank': dict(
        flags=['--local_rank'], type=int, default=0, help='set by older versions of the launcher'
    ),
}
"""Arguments that several tools have."""


class ToolParser(argparse.ArgumentParser):
    """Parser of a tool; ``--help`` shows the tool's docstring as it is.

    Args:
        doc: Docstring of the tool, with an example command.
    """

    def __init__(self, doc: str | None) -> None:
        super().__init__(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)

    def share(self, name: str, **changes) -> ToolParser:
        """Adds one of the arguments that several tools have; returns the parser.

        Args:
            name: Name of the argument in :data:`SHARED`.
            **changes: Settings of ``add_argument`` in place of the shared ones.
        """
        options = {**SHARED[name], **changes}
        self.add_argument(*options.pop('flags', []), name, **options)
        return self

    def share_launcher(self) -> ToolParser:
        """Adds the arguments of a tool that runs in several processes; returns the parser."""
        return self.share('--launcher').share('--local-rank')

    def parse_args(self, args: Sequence[str] | None = None, namespace=None) -> argparse.Namespace:
        """Parses a command line; a rank in it is put where mmengine looks for it."""
        parsed = super().parse_args(args, namespace)
        if hasattr(parsed, 'local_rank'):
            os.environ.setdefault('LOCAL_RANK', str(parsed.local_rank))
        return parsed


def run_tool(main: Callable[[], object]) -> None:
    """Runs a tool; a :class:`UserError` becomes one line on stderr and exit status 2.

    Registries raise the error of a component's constructor again with a longer text, so the
    first :class:`UserError` of the chain is shown. An error of the file system that names its file
    becomes one line, too. Any other exception keeps its traceback.

    Args:
        main: Entry point of the tool.
    """
    try:
        main()
        was_distributed = leave_process_group()
    except UserError as error:
        first = error
        while isinstance(first.__cause__ or first.__context__, UserError):
            first = first.__cause__ or first.__context__
        _fail(str(first))
    except Stopped as stopped:
        if leave_process_group():
            exit_without_destructors(stopped.code)
        raise
    except OSError as error:
        if error.filename is None and error.errno not in REMEDIES:
            raise
        remedy = REMEDIES.get(error.errno, 'give another path')
        _fail(f'{error.filename or "the output"}: {error.strerror}; {remedy}')
    if was_distributed:
        exit_without_destructors()


def _fail(text: str) -> NoReturn:
    print(f'error: {text}', file=sys.stderr)
    sys.exit(2)
