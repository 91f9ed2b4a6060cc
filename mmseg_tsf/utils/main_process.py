"""Work that one process does for all, and with the help of all."""

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
    """Runs ``work`` on rank 0; every rank returns what it returned or raises what it raised.

    Without this the other ranks would wait for ever for one that has failed. The result must be
    picklable.
    """
    return with_help_of_all(lambda _: work())


def with_help_of_all(
    work: Callable[[Ask], Result], helper: Callable[[Item], Part] | None = None
) -> Result:
    """Runs ``work`` on rank 0, which may ask all ranks for help; ends as :func:`on_main_process`.

    The other ranks wait no longer at a time than rank 0 takes between two questions, so long work
    does not run into the timeout of the process group.

    Args:
        work: Is given ``ask(items)``, which returns what ``helper`` makes of each item.
        helper: Of one item, on any rank; the result must be picklable.
    """
    if is_main_process():
        try:
            outcome = ['returned', work(lambda items: _ask(items, helper))]
        except Exception as error:  # handed on to every rank, and raised there
            outcome = ['raised', error]
        broadcast_object_list(outcome)
    else:
        outcome = _told()
        while outcome[0] == 'asked':
            _share(outcome[1], helper)
            outcome = _told()
    if outcome[0] == 'raised':
        raise outcome[1]
    return outcome[1]


class Ahead:
    """Calls a function by asking all ranks for the next items at the same time.

    Args:
        ask: See :func:`with_help_of_all`.
        items: In the order in which they will be wanted, most likely.
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


def _told() -> list:
    outcome = [None, None]
    broadcast_object_list(outcome)
    return outcome


def _share(
    items: Sequence[Item], helper: Callable[[Item], Part]
) -> list[tuple[list[Part], Exception | None]]:
    """Does this rank's part; returns what all ranks made of theirs, or the error they met."""
    rank, world_size = get_dist_info()
    own, error = [], None
    try:
        own = [helper(item) for item in items[rank::world_size]]
    except Exception as raised:  # rank 0 hears of it and hands it on
        error = raised
    return all_gather_object((own, error))
