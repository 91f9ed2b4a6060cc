"""Processes: forking and waiting for them, their memory, and their end."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import torch.distributed as dist

PATIENCE = 60
"""Seconds that the other processes have to end once one has failed; torchrun gives none."""
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Names and numbers of glibc's ``malloc.h``."""


def run_forked(
    work: Callable[[int], object], processes: int = 1, stderr: str | Path | None = None
) -> list[int]:
    """Does the same work in several forks of this process and waits until they have ended.

    Args:
        work: Function that takes the number of the process, from 0.
        processes: Number of processes.
        stderr: File to which their error output is appended; the error output of this process
            by default.

    Returns:
        list[int]: Exit statuses; minus the number of the signal for a process that was killed.
    """
    children = []
    for number in range(processes):
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            _run_child(work, number, stderr)
        children.append(child)
    return wait_for(children)


def wait_for(children: Sequence[int]) -> list[int]:
    """Exit statuses of processes; :data:`PATIENCE` after a failure the others are killed."""
    statuses, deadline = {}, float('inf')
    while len(statuses) < len(children):
        for child in children:
            if child in statuses:
                continue
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                statuses[child] = os.waitstatus_to_exitcode(status)
                deadline = min(deadline, time.monotonic() + PATIENCE if status else deadline)
            elif time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    return [statuses[child] for child in children]


def _run_child(work: Callable[[int], object], number: int, stderr: str | Path | None) -> NoReturn:
    status = 1
    try:
        if stderr is not None:
            sys.stderr = open(stderr, 'a', buffering=1)  # noqa: SIM115
            os.dup2(sys.stderr.fileno(), 2)
        work(number)
        status = 0
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # without the exit handlers, which belong to the parent


def keep_freed_memory() -> bool:
    """Keeps freed memory for the next allocation, in this process and its forks.

    By default glibc returns the memory of every large tensor to the kernel, which clears its pages
    before it hands them out again. That takes a sixth of the time of a training step on a CPU.
    Peak memory stays the same.

    Returns:
        bool: Whether the setting was made; C libraries other than glibc are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if os.name == 'posix' else None
    if mallopt is None:
        return False
    settings = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 << 20}
    return all([mallopt(name, value) for name, value in settings.items()])


def leave_process_group() -> bool:
    """Ends the process group of a finished run once every rank is here.

    A rank that exits while another still talks to it can be aborted at exit, and torchrun then
    reports the whole run as failed.

    Returns:
        bool: Whether there was a process group.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return False
    dist.barrier()
    dist.destroy_process_group()
    return True


def exit_without_destructors(status: int = 0) -> NoReturn:
    """Ends a finished process.

    Threads of torch's backends can outlive their process group and abort the interpreter while it
    shuts down; torchrun would then report a finished run as failed.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
