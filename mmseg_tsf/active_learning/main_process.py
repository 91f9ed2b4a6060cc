"""Work that one process does for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mmengine.dist import broadcast_object_list, is_main_process

Result = TypeVar('Result')


def on_main_process(work: Callable[[], Result]) -> Result:
    """Runs ``work`` on rank 0; every rank returns what it returned or raises what it raised.

    Without this the other ranks would wait for ever for one that has failed. The result must be
    picklable.
    """
    outcome: list = [None, None]
    if is_main_process():
        try:
            outcome[0] = work()
        except Exception as error:  # handed on to every rank, and raised there
            outcome[1] = error
    broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]
