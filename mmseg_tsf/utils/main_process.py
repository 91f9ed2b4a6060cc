"""Work that the main process does for all ranks, with their help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mmengine.dist import (
    all_gather_object,
    broadcast_object_list,
    get_dist_info,
    get_world_size,
    is_main_process,
)

Item = TypeVar('Item')
Part = TypeVar('Part')
Result = TypeVar('Result')
Ask = Callable[[Sequence[Item]], list[Part]]


def on_main_process(work: Callable[[], Result]) -> Result:
    """Runs ``work`` on rank 0; every rank returns its result or raises its exception.

    Without this the other ranks would wait forever after a failure of rank 0. The result must be
    picklable.
    """
    return with_help_of_all(lambda _: work())


def with_help_of_all(
    work: Callable[[Ask], Result], helper: Callable[[Item], Part] | None = None
) -> Result:
    """Runs ``work`` on rank 0, which may distribute items over all ranks.

    The other ranks wait at most as long as rank 0 takes between two calls of ``ask``, so that long
    work does not run into the timeout of the process group.

    Args:
        work: Function that takes ``ask(items)``, which returns the result of ``helper`` for each
            item.
        helper: Function of one item, called on any rank; its result must be picklable.

    Returns:
        Result of ``work``, on every rank; an exception is raised on every rank, too.
    """
    if is_main_process():
        try:
            outcome = ['returned', work(lambda items: _ask(items, helper))]
        except Exception as error:  # broadcast, and raised on every rank
            outcome = ['raised', error]
        broadcast_object_list(outcome)
    else:
        outcome = _receive()
        while outcome[0] == 'asked':
            _share(outcome[1], helper)
            outcome = _receive()
    if outcome[0] == 'raised':
        raise outcome[1]
    return outcome[1]


class Ahead:
    """Function of one item that computes the next items on the other ranks at the same time.

    Args:
        ask: See :func:`with_help_of_all`.
        items: All items in their probable order of use.
    """

    def __init__(self, ask: Ask, items: Sequence[Item]) -> None:
        self._ask, self._items = ask, list(items)
        self._places = {item: place for place, item in enumerate(self._items)}
        self._ready: dict[Item, Part] = {}

    def __call__(self, item: Item) -> Part:
        if item not in self._ready:
            place = self._places[item]
            items = self._items[place : place + get_world_size()]
            self._ready = dict(zip(items, self._ask(items), strict=True))
        return self._ready.pop(item)


def _ask(items: Sequence[Item], helper: Callable[[Item], Part]) -> list[Part]:
    broadcast_object_list(['asked', items])
    parts = _share(items, helper)
    for _, error in parts:
        if error is not None:
            raise error
    return [parts[place % len(parts)][0][place // len(parts)] for place in range(len(items))]


def _receive() -> list:
    outcome = [None, None]
    broadcast_object_list(outcome)
    return outcome


def _share(
    items: Sequence[Item], helper: Callable[[Item], Part]
) -> list[tuple[list[Part], Exception | None]]:
    """Processes the items of this rank; returns the results and the error of every rank."""
    rank, world_size = get_dist_info()
    own, error = [], None
    try:
        own = [helper(item) for item in items[rank::world_size]]
    except Exception as raised:  # gathered by rank 0, which broadcasts it
        error = raised
    return all_gather_object((own, error))
