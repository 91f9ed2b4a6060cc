"""The best of the whole pool, as far as the budget goes."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dist import all_gather_object, all_reduce
from torch import nn

from ...utils.errors import UserError, explain_disk_errors_in
from ..pool.outputs import ScoredImage
from ..pool.pool import Pool
from ..pool.pool_pass import score_pool
from ..strategies.base import QueryStrategy
from .candidates import RECORD, Cut, Spool, sort_keys
from .selectors.base import Selector
from .whole_units import REACH, take_whole_units


class Choice(NamedTuple):
    """What is asked of one image.

    Attributes:
        index: Position in the pool.
        units: ``(M,)`` uint32 in the order of the choice, for :meth:`Selector.mask`.
        limits: Most pixels to ask of a unit, where the budget ended inside of it.
        cost: Of all its units, in those of the budget.
    """

    index: int
    units: np.ndarray
    limits: dict[int, int]
    cost: int


def select(
    model: nn.Module,
    pool: Pool,
    strategy: QueryStrategy,
    selector: Selector,
    budget: int,
    unit: str = 'pixels',
    seed: int = 0,
    seconds: dict[str, float] | None = None,
    **options,
) -> list[Choice]:
    """Scores the pool and chooses what to ask; every rank must call it and gets the same result.

    Args:
        model: That scores.
        pool: The images.
        strategy: What to ask first.
        selector: In which units.
        budget: How much, in ``unit``.
        unit: ``'pixels'`` (native), ``'regions'``, ``'images'`` or ``'clicks'``, whichever the
            selector has.
        seed: Parts equal scores, and whatever else is random.
        seconds: Is told how long ``score`` and ``select`` took.
        **options: Of :func:`~mmseg_tsf.active_learning.pool.pool_pass.score_pool`.

    Raises:
        UserError: An option that is wrong or does not fit the model; names it.
    """
    check_budget(selector, budget, unit)
    selector.check_strategy(strategy)
    seconds = {} if seconds is None else seconds
    began = time.perf_counter()
    scored = score_pool(model, pool, strategy, selector, seed=seed, **options)
    with contextlib.closing(scored):  # the model is as it was, also after an error
        timed = _timed(scored, seconds)
        chosen = choose(timed, selector, budget, unit, seed, strategy.in_pool_order)
    seconds['select'] = time.perf_counter() - began - seconds['score']
    return chosen


def _timed(scored: Iterable[ScoredImage], seconds: dict[str, float]) -> Iterator[ScoredImage]:
    """Adds up how long the images are waited for."""
    seconds['score'], began = 0.0, time.perf_counter()
    for image in scored:
        seconds['score'] += time.perf_counter() - began
        yield image
        began = time.perf_counter()
    seconds['score'] += time.perf_counter() - began


def check_budget(selector: Selector, budget: int, unit: str) -> None:
    """Refuses a budget with a ``UserError``; see :func:`select`."""
    selector.check_unit(unit)
    if isinstance(budget, bool) or not isinstance(budget, (int, np.integer)) or budget < 1:
        raise UserError(
            f'budget={budget!r} must be a whole number of {unit} above 0: give the query more, or '
            'leave it out'
        )


def choose(
    scored: Iterable[ScoredImage],
    selector: Selector,
    budget: int,
    unit: str = 'pixels',
    seed: int = 0,
    in_pool_order: bool = False,
    scratch: str | None = None,
) -> list[Choice]:
    """Cuts the scored images of all ranks, best first, in memory that does not grow with them.

    Each rank writes its candidates to a scratch file, the ranks search the key of the cut
    together by summed histograms, and each reads its file once more. A budget is met exactly
    where there are enough candidates; whole regions and images never exceed one of pixels or
    clicks, see :func:`~mmseg_tsf.active_learning.selection.whole_units.take_whole_units`.

    Args:
        scored: The share of this rank; no image on two ranks.
        selector: See :func:`select`.
        budget: See :func:`select`.
        unit: See :func:`select`.
        seed: See :func:`select`.
        in_pool_order: See :class:`QueryStrategy`.
        scratch: Folder of the file; the system's scratch folder by default.

    Returns:
        list[Choice]: In the order of the pool, the same on every rank.

    Raises:
        StoreError: The scratch file can not be written; names its folder.
    """
    check_budget(selector, budget, unit)
    num_groups = 256 if selector.class_balanced else 1
    folder = Path(scratch or tempfile.gettempdir())
    whole = unit == 'clicks' or (unit == 'pixels' and not selector.can_trim)
    reach = REACH * budget if whole else budget
    with explain_disk_errors_in(folder), Spool(reach, num_groups, str(folder)) as spool:
        for image in scored:
            records = _records(image, selector, unit, seed, in_pool_order, spool)
            spool.add(records[records['cost'] <= budget] if whole else records)
        costs = _sum_over_ranks(spool.costs())
        shares = share_budget(costs, budget)
        taken, trimmed = [np.zeros(0, RECORD)], {}
        for group in np.flatnonzero(costs if whole else shares).tolist():
            own_budget = reach if whole else shares[group]
            cut = spool.cut(group, own_budget, _sum_over_ranks)
            taken.append(_take(spool, group, own_budget, cut, not whole, trimmed))
    records = np.concatenate(taken)
    if whole:
        records = take_whole_units(records, shares, budget)
    return _choices(records, trimmed)


def share_budget(costs: np.ndarray, budget: int) -> list[int]:
    """Shares a budget equally among groups; what a group can not use goes to the others.

    Args:
        costs: ``(G,)`` int64 cost of all that a group has.
        budget: To share; where it is no multiple, the first groups get one more.

    Returns:
        list[int]: ``(G,)``.
    """
    shares = [0] * len(costs)
    costs = np.minimum(costs, budget)  # more is not known for certain, see Spool
    # from the poorest on: each takes its part of what is left, or all that it has
    order = [int(group) for group in np.argsort(costs, kind='stable') if costs[group]]
    for place, group in enumerate(order):
        part = -(-budget // (len(order) - place))
        shares[group] = min(part, int(costs[group]))
        budget -= shares[group]
    return shares


def _records(
    scored: ScoredImage, selector: Selector, unit: str, seed: int, in_pool_order: bool, spool: Spool
) -> np.ndarray:
    """The candidates of an image that the budget may still reach, as records."""
    index = scored.image.index
    if not in_pool_order and not spool.can_reach(scored.scores.max()):
        return np.zeros(0, RECORD)  # no unit scores higher than the best of its cells
    candidates = selector.candidates(scored)
    keys = sort_keys(candidates.scores, index, candidates.units, seed, in_pool_order)
    # what is out of reach for all groups can suppress only what is, too
    order = (keys >= spool.floors.min()).nonzero()[0]
    order = order[keys[order].argsort(kind='stable')[::-1]]
    order = selector.thin(scored, candidates, order)
    records = np.empty(len(order), RECORD)
    records['key'], records['index'] = keys[order], index
    records['unit'], records['group'] = candidates.units[order], candidates.groups[order]
    if unit == 'clicks':
        records['cost'] = selector.clicks(scored, candidates.units[order])
    else:
        records['cost'] = candidates.pixels[order] if unit == 'pixels' else 1
    return records


def _take(
    spool: Spool, group: int, budget: int, cut: Cut, can_trim: bool, trimmed: dict
) -> np.ndarray:
    """Chosen records of a group from all ranks; notes what is asked of one in part."""
    own, ties = [np.zeros(0, RECORD)], [np.zeros(0, RECORD)]
    for records in spool.chunks():
        records = records[records['group'] == group]
        own.append(records[cut.above(records)])
        ties.append(records[cut.at(records)])
    parts = all_gather_object((np.concatenate(own), np.concatenate(ties)))
    taken = [records for records, _ in parts]
    ties = np.concatenate([records for _, records in parts])
    left = budget - cut.spent
    for record in ties[np.lexsort((ties['unit'], ties['index']))]:
        if record['cost'] > left:
            if not can_trim or not left:
                break
            trimmed[int(record['index']), int(record['unit'])] = left
        taken.append(record[None])
        left -= min(left, int(record['cost']))
    return np.concatenate(taken)


def _choices(records: np.ndarray, trimmed: dict[tuple[int, int], int]) -> list[Choice]:
    """Records by image, the best first."""
    spent = records['cost'].astype(np.int64)
    limits: dict[int, dict[int, int]] = {}
    for (index, unit), left in trimmed.items():
        spent[(records['index'] == index) & (records['unit'] == unit)] = left
        limits.setdefault(index, {})[unit] = left
    order = np.lexsort((records['unit'], ~records['key'], records['index']))
    records, spent = records[order], spent[order]
    indices, starts = np.unique(records['index'], return_index=True)
    choices = []
    parts = np.split(np.arange(len(records)), starts[1:])
    for index, own in zip(indices.tolist(), parts[: len(indices)], strict=True):
        cost = int(spent[own].sum())
        choices.append(Choice(index, records['unit'][own], limits.get(index, {}), cost))
    return choices


def _sum_over_ranks(counts: np.ndarray) -> np.ndarray:
    """Sums int64 counts over all ranks; every rank must call it."""
    total = torch.from_numpy(counts)
    all_reduce(total)
    return total.numpy()
