"""The choice from the whole pool, within the budget."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import all_gather_object, all_reduce
from torch import nn

from ...utils.errors import UserError, explain_disk_errors_in
from ..pool.outputs import ScoredImage, Scorer
from ..pool.pool import Pool
from ..pool.pool_pass import score_pool
from .candidates import (
    REACH,
    RECORD,
    CandidateFile,
    Choice,
    Cut,
    choices_of,
    share_budget,
    sort_keys,
    take_whole_units,
)
from .joint import JointCandidates
from .selectors.base import Selector


def select(
    model: nn.Module,
    pool: Pool,
    strategy: Scorer,
    selector: Selector,
    budget: int,
    unit: str = 'pixels',
    seed: int = 0,
    labelled: Pool | None = None,
    seconds: dict[str, float] | None = None,
    **options,
) -> list[Choice]:
    """Scores the pool and chooses what to ask; every rank must call it and gets the same result.

    Args:
        model: Model that scores.
        pool: The images.
        strategy: Query strategy that gives the scores, and chooses jointly if it overrides
            ``pick``.
        selector: Selector that turns cells into units.
        budget: Amount to ask, in ``unit``.
        unit: ``'pixels'`` (native), ``'regions'``, ``'images'`` or ``'clicks'``, whichever the
            selector has.
        seed: Seed of what is random, the order of equal scores included.
        labelled: Images that are labelled from the start, for the centres of a joint choice.
        seconds: Receives how long ``score`` and ``select`` took.
        **options: Options of :func:`~mmseg_tsf.active_learning.pool.pool_pass.score_pool`.

    Returns:
        list[Choice]: In the order of the pool.

    Raises:
        UserError: An option is wrong or does not fit the model; the message names it.
    """
    check_budget(selector, budget, unit)
    selector.check_strategy(strategy)
    seconds = {} if seconds is None else seconds
    began = time.perf_counter()
    scored = score_pool(
        model,
        pool,
        strategy,
        selector.prepare,
        with_classes=selector.class_balanced,
        seed=seed,
        whole_images=selector.whole_images,
        **options,
    )
    with contextlib.closing(scored):  # the model is as it was, also after an error
        timed = _timed(scored, seconds)
        if strategy.picks:
            of_labelled = ()
            if labelled is not None and strategy.embeds:
                of_labelled = score_pool(
                    model, labelled, strategy, seed=seed, whole_images=True, **options
                )
            chosen = choose_jointly(timed, of_labelled, strategy, selector, budget, unit, seed)
        else:
            chosen = choose(timed, selector, budget, unit, seed, strategy.in_pool_order)
    seconds['select'] = time.perf_counter() - began - seconds['score']
    return chosen


def choose_jointly(
    scored: Iterable[ScoredImage],
    labelled: Iterable[ScoredImage],
    strategy: Scorer,
    selector: Selector,
    budget: int,
    unit: str,
    seed: int,
) -> list[Choice]:
    """Lets a strategy choose among the units of the whole pool.

    Centres are the labelled images, and of those of the pool in which people have labelled
    something what they have labelled, or the image where whole images are asked.

    Raises:
        UserError: The strategy chose more than the budget pays.
        StoreError: A scratch file cannot be written; the message names its folder.
    """
    folder = Path(tempfile.gettempdir())
    with explain_disk_errors_in(folder), JointCandidates(budget, str(folder)) as candidates:
        centres = [_centre(image) for image in labelled]
        for image in scored:
            records, units = _records(image, selector, unit, seed)
            candidates.add(records, selector.embeddings(image, units))
            if image.image.manual is not None:
                centres.append(_centre(image))
        gathered = [own for part in all_gather_object(centres) for own in part if own is not None]
        if gathered:
            candidates.centres = np.stack(gathered)
        records = np.array(strategy.pick(candidates), RECORD)
    spent = int(records['cost'].sum())
    if spent > budget:
        raise UserError(
            f'{type(strategy).__name__}.pick chose {spent} {unit}, the round has {budget}: choose '
            'within candidates.budget'
        )
    return choices_of(records, {})


def _centre(scored: ScoredImage) -> np.ndarray | None:
    """``(D,)`` embedding of an image, or of its cells that are labelled or were asked."""
    whole = scored.embedding
    if whole is None or whole.ndim == 1:
        return whole
    cells = ~scored.free
    return whole[:, cells].mean(axis=1) if cells.any() else whole.mean(axis=(1, 2))


def _timed(scored: Iterable[ScoredImage], seconds: dict[str, float]) -> Iterator[ScoredImage]:
    """Adds up the seconds spent on waiting for images."""
    seconds['score'], began = 0.0, time.perf_counter()
    for image in scored:
        seconds['score'] += time.perf_counter() - began
        yield image
        began = time.perf_counter()
    seconds['score'] += time.perf_counter() - began


def check_budget(selector: Selector, budget: int, unit: str) -> None:
    """Raises ``UserError`` if the budget does not fit; see :func:`select`."""
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
    clicks, see :func:`~mmseg_tsf.active_learning.selection.candidates.take_whole_units`.

    Args:
        scored: Images of this rank; no image is on two ranks.
        selector: See :func:`select`.
        budget: See :func:`select`.
        unit: See :func:`select`.
        seed: See :func:`select`.
        in_pool_order: See :class:`QueryStrategy`.
        scratch: Folder of the file; the system's scratch folder by default.

    Returns:
        list[Choice]: In the order of the pool, the same on every rank.

    Raises:
        StoreError: The scratch file cannot be written; the message names its folder.
    """
    check_budget(selector, budget, unit)
    num_groups = 256 if selector.class_balanced else 1
    folder = Path(scratch or tempfile.gettempdir())
    whole = unit == 'clicks' or (unit == 'pixels' and not selector.can_trim)
    reach = REACH * budget if whole else budget
    with explain_disk_errors_in(folder), CandidateFile(reach, num_groups, str(folder)) as file:
        for image in scored:
            records, _ = _records(image, selector, unit, seed, in_pool_order, file)
            file.add(records[records['cost'] <= budget] if whole else records)
        costs = _sum_over_ranks(file.costs())
        shares = share_budget(costs, budget)
        taken, trimmed = [np.zeros(0, RECORD)], {}
        for group in np.flatnonzero(costs if whole else shares).tolist():
            own_budget = reach if whole else shares[group]
            cut = file.cut(group, own_budget, _sum_over_ranks)
            taken.append(_take(file, group, own_budget, cut, not whole, trimmed))
    records = np.concatenate(taken)
    if whole:
        records = take_whole_units(records, shares, budget)
    return choices_of(records, trimmed)


def _records(
    scored: ScoredImage,
    selector: Selector,
    unit: str,
    seed: int,
    in_pool_order: bool = False,
    file: CandidateFile | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The candidates of an image as records, and their units.

    With a ``file``, those are left out that the budget can no longer reach.
    """
    index = scored.image.index
    if file is not None and not in_pool_order and not file.can_reach(scored.scores.max()):
        return np.zeros(0, RECORD), np.zeros(0, np.uint32)  # no unit scores above its best cell
    candidates = selector.candidates(scored)
    keys = sort_keys(candidates.scores, index, candidates.units, seed, in_pool_order)
    order = np.arange(len(keys))
    if file is not None:  # what is out of reach for all groups can suppress only what is, too
        order = (keys >= file.floors.min()).nonzero()[0]
    order = order[keys[order].argsort(kind='stable')[::-1]]
    order = selector.thin(scored, candidates, order)
    records = np.empty(len(order), RECORD)
    records['key'], records['index'] = keys[order], index
    records['unit'], records['group'] = candidates.units[order], candidates.groups[order]
    if unit == 'clicks':
        records['cost'] = selector.clicks(scored, candidates.units[order])
    else:
        records['cost'] = candidates.pixels[order] if unit == 'pixels' else 1
    return records, candidates.units[order]


def _take(
    file: CandidateFile, group: int, budget: int, cut: Cut, can_trim: bool, trimmed: dict
) -> np.ndarray:
    """Chosen records of a group from all ranks; ``trimmed`` gets units that are asked in part."""
    own, ties = [np.zeros(0, RECORD)], [np.zeros(0, RECORD)]
    for records in file.chunks():
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


def _sum_over_ranks(counts: np.ndarray) -> np.ndarray:
    """Sums int64 counts over all ranks; every rank must call it."""
    total = torch.from_numpy(counts)
    all_reduce(total)
    return total.numpy()
