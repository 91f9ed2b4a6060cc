"""How a tool ends when its user has made a mistake."""

from __future__ import annotations

import atexit
import os
import os.path as osp
import sys
from collections.abc import Callable

import torch.distributed as dist
from mmengine import registry

PACKAGE = osp.dirname(osp.dirname(osp.abspath(__file__)))
TOOLS = osp.join(osp.dirname(PACKAGE), 'tools')
REGISTRY = osp.dirname(osp.abspath(registry.__file__))
"""Where mmengine refuses a type or an option that a config misspells."""

MISTAKES = (
    ConnectionError,
    FileExistsError,
    FileNotFoundError,
    KeyError,
    TypeError,
    ValueError,
)


def run_tool(main: Callable[[], object]) -> None:
    """Runs a tool; a refusal of ours becomes one sentence on stderr and exit status 2.

    Registries re-raise what a component's constructor raised, so the first exception of the chain
    counts. So does a type or an option that mmengine's registries do not know. What was raised
    anywhere else keeps its traceback.

    Args:
        main: The tool's entry point.
    """
    try:
        main()
        was_distributed = leave_process_group()
    except MISTAKES as error:
        first = error
        while first.__cause__ or (first.__context__ and not first.__suppress_context__):
            first = first.__cause__ or first.__context__
        frame = first.__traceback__
        while frame.tb_next:
            frame = frame.tb_next
        folder = osp.dirname(osp.abspath(frame.tb_frame.f_code.co_filename))
        misspelt = isinstance(first, KeyError)
        if not folder.startswith(REGISTRY if misspelt else (PACKAGE, TOOLS, REGISTRY)):
            raise
        print(f'error: {first.args[0] if misspelt else first}', file=sys.stderr)
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
