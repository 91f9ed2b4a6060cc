"""How a tool ends when its user has made a mistake."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable

import torch.distributed as dist

from .errors import UserError


def run_tool(main: Callable[[], object]) -> None:
    """Runs a tool; a :class:`UserError` becomes one line on stderr and exit status 2.

    Registries re-raise what a component's constructor raised under another text, so the first
    such error of the chain is the one that is shown. Anything else keeps its traceback.

    Args:
        main: The tool's entry point.
    """
    try:
        main()
        was_distributed = leave_process_group()
    except UserError as error:
        first = error
        while isinstance(first.__cause__ or first.__context__, UserError):
            first = first.__cause__ or first.__context__
        print(f'error: {first}', file=sys.stderr)
        sys.exit(2)
    if was_distributed:
        exit_without_destructors()


def leave_process_group() -> bool:
    """Ends the process group of a finished run, once every rank is here; whether there was one.

    A rank that exits while another still talks to it can be aborted at exit, and torchrun then
    calls the whole run failed.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return False
    dist.barrier()
    dist.destroy_process_group()
    return True


def exit_without_destructors() -> None:
    """Ends a process that has done its work, with status 0.

    Threads of torch's backends can outlive their group, and abort the interpreter while it goes
    down: torchrun then calls a finished run failed.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
