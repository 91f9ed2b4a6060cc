"""Runs in processes of their own, which may be killed."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

PATIENCE = 60
"""Seconds that the other processes have to end once one has failed; torchrun gives none."""


def run_forked(
    work: Callable[[int], object], processes: int = 1, stderr: str | Path | None = None
) -> list[int]:
    """Does the same work in several processes, copies of this one, and waits for their end.

    Args:
        work: Is given the number of the process, from 0.
        processes: How many.
        stderr: File to which they append what they say of errors; the usual one by default.

    Returns:
        list[int]: Exit statuses; minus the number of the signal where one has ended a process.
    """
    children = []
    for number in range(processes):
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            _live(work, number, stderr)
        children.append(child)
    return wait_for(children)


def wait_for(children: Sequence[int]) -> list[int]:
    """Exit statuses of processes; those that wait for one that has failed are ended in the end."""
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


def _live(work: Callable[[int], object], number: int, stderr: str | Path | None) -> NoReturn:
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
        os._exit(status)  # what this process was copied from has its own things to end
