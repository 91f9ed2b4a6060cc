"""Candidates of the whole pool on disk, and the cut through them; memory does not grow."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ...utils.seeding import hashed

RECORD = np.dtype(
    [('key', '<u8'), ('index', '<u4'), ('unit', '<u4'), ('cost', '<u4'), ('group', 'u1')]
)
"""One candidate: sort key (the larger the better), pool index, unit, cost, predicted class."""
CHUNK = 1 << 16  # records that are in memory at a time
REACH = 8
"""Candidates are kept as far as this many budgets would go, for those that do not fit: smaller
units that still fit are found unless eight budgets of better ones do not."""


def sort_keys(
    scores: np.ndarray, index: int, units: np.ndarray, seed: int, in_pool_order: bool = False
) -> np.ndarray:
    """One number that orders all candidates of a pool, the best largest.

    Args:
        scores: ``(M,)`` float16, finite.
        index: Pool index of the image.
        units: ``(M,)`` in the image.
        seed: Seed of the query; a hash of it, index and unit orders equal scores.
        in_pool_order: Whether images come in the order of the pool; scores then order the units of
            an image.

    Returns:
        np.ndarray: ``(M,)`` uint64.
    """
    bits = score_bits(scores).astype(np.uint64)
    chance = hashed(seed, index, units)
    if in_pool_order:
        first = np.uint64((1 << 32) - 1 - index) << np.uint64(32)
        return first | (bits << np.uint64(16)) | (chance >> np.uint64(48))
    return (bits << np.uint64(48)) | (chance >> np.uint64(16))


def score_bits(scores: np.ndarray) -> np.ndarray:
    """``(M,)`` unsigned numbers that sort like floats of their width; 0 and -0 are equal."""
    # as unsigned numbers the bits of floats sort right once negative ones are turned round
    bits = (scores + scores.dtype.type(0)).view(f'u{scores.itemsize}')  # -0 becomes 0
    sign = bits.dtype.type(1 << (8 * scores.itemsize - 1))
    return np.where(bits & sign, ~bits, bits | sign)


def best_first(records: np.ndarray) -> np.ndarray:
    """Records by key, the best first; those of an equal key by image and unit."""
    return records[np.lexsort((records['unit'], records['index'], ~records['key']))]


class Cut(NamedTuple):
    """The place at which a budget ends.

    Attributes:
        key: All candidates above it are taken; of those that have it, as many as fit. ``None``:
            all candidates are taken.
        spent: Cost of all candidates above it.
    """

    key: int | None
    spent: int

    def above(self, records: np.ndarray) -> np.ndarray:
        """``(M,)`` bool: records that are taken for certain."""
        return np.ones(len(records), bool) if self.key is None else records['key'] > self.key

    def at(self, records: np.ndarray) -> np.ndarray:
        """``(M,)`` bool: records that have the key of the cut."""
        return np.zeros(len(records), bool) if self.key is None else records['key'] == self.key


class CandidateFile:
    """A scratch file of candidates that keeps those that a budget may still reach.

    Once the candidates of this process alone would spend the budget, worse ones cannot be chosen
    any more, and are dropped.

    Args:
        budget: Largest amount that may be spent on each group.
        num_groups: Number of groups.
        folder: Folder of the file; the system's scratch folder by default.
    """

    def __init__(self, budget: int, num_groups: int = 1, folder: str | None = None) -> None:
        self.budget, self.folder = budget, folder
        self.floors = np.zeros(num_groups, np.uint64)  # keys below it are out of reach
        self._waiting: list[np.ndarray] = []
        self._num_waiting, self._num, self._compact_at = 0, 0, CHUNK // 8
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def __len__(self) -> int:
        return self._num + self._num_waiting

    def __enter__(self) -> CandidateFile:
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def can_reach(self, score: np.float16) -> bool:
        """Whether the budget may reach units of this score, if the best of the pool come first."""
        return bool(score_bits(np.asarray([score]))[0] >= self.floors.min() >> np.uint64(48))

    def add(self, records: np.ndarray) -> None:
        """Adds records; those out of reach are dropped."""
        records = records[records['key'] >= self.floors[records['group']]]
        if len(records):
            self._waiting.append(records)
            self._num_waiting += len(records)
        if self._num_waiting >= CHUNK // 8 or len(self._waiting) >= 4096:
            self._flush()
            if self._num >= self._compact_at:
                self._compact()

    def chunks(self) -> Iterator[np.ndarray]:
        """All records, a few at a time."""
        self._flush()
        self._file.seek(0)
        while data := self._file.read(CHUNK * RECORD.itemsize):
            yield np.frombuffer(data, RECORD)

    def costs(self) -> np.ndarray:
        """``(groups,)`` int64 cost of all records."""
        total = np.zeros(len(self.floors), np.int64)
        for records in self.chunks():
            np.add.at(total, records['group'], records['cost'].astype(np.int64))
        return total

    def cut(
        self, group: int, budget: int, reduce: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> Cut:
        """The best candidates of a group that a budget pays, by a radix search in the keys.

        Four passes over the file, each with a histogram of the costs over 16 bits of the key.

        Args:
            group: Which.
            budget: Amount that may be spent.
            reduce: Sums a histogram over all processes; ``None`` for this one alone.
        """
        prefix = spent = 0
        for shift in (48, 32, 16, 0):
            costs = self._histogram(group, prefix, shift)
            costs = costs if reduce is None else reduce(costs)
            running = spent + costs[::-1].cumsum()
            place = int(np.searchsorted(running, budget, side='right'))
            if place == len(costs):  # only in the first pass: later ones end within their bin
                return Cut(None, int(running[-1]))
            digit = len(costs) - 1 - place
            spent = int(running[place] - costs[digit])
            prefix |= digit << shift
        return Cut(prefix, spent)

    def _histogram(self, group: int, prefix: int, shift: int) -> np.ndarray:
        """``(65536,)`` int64 costs by the 16 bits at ``shift`` of the keys with this prefix."""
        costs = np.zeros(1 << 16, np.int64)
        for records in self.chunks():
            own = records['group'] == group
            if shift < 48:
                high = np.uint64(shift + 16)
                own &= (records['key'] >> high) == np.uint64(prefix >> (shift + 16))
            digits = (records['key'][own] >> np.uint64(shift)) & np.uint64(0xFFFF)
            weights = records['cost'][own]
            costs += np.bincount(digits.astype(np.int64), weights, 1 << 16).astype(np.int64)
        return costs

    def _flush(self) -> None:
        if self._num_waiting:
            self._file.seek(0, 2)
            self._file.write(np.concatenate(self._waiting).tobytes())
        self._num += self._num_waiting
        self._waiting, self._num_waiting = [], 0

    def _compact(self) -> None:
        """Raises the floors and rewrites the file without what lies below."""
        for group in (self.costs() > self.budget).nonzero()[0]:
            self.floors[group] = self.cut(group, self.budget).key
        old = self.chunks()
        kept = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
        self._num = 0
        for records in old:
            records = records[records['key'] >= self.floors[records['group']]]
            kept.write(records.tobytes())
            self._num += len(records)
        self._file.close()
        self._file = kept
        self._compact_at = max(CHUNK // 8, 2 * self._num)


def take_whole_units(records: np.ndarray, shares: list[int], budget: int) -> np.ndarray:
    """Spends a budget, best first, on units that cost different amounts.

    A unit that does not fit any more is passed over. Each group spends its share first; what is
    left then, less than a unit of each, goes unit by unit to the group that has spent least.

    Args:
        records: ``(M,)`` candidates (:data:`RECORD`), none above the budget.
        shares: ``(G,)`` share of each group in the budget.
        budget: All that may be spent.

    Returns:
        np.ndarray: Those that are taken, the same for the same candidates in any order.
    """
    records = best_first(records)
    costs, groups = records['cost'].astype(np.int64), records['group'].astype(np.int64)
    taken, left = np.zeros(len(records), bool), list(shares)
    for place, (cost, group) in enumerate(zip(costs.tolist(), groups.tolist(), strict=True)):
        if cost <= left[group]:
            taken[place] = True
            left[group] -= cost
    spent = np.subtract(shares, left)
    rest = budget - int(spent.sum())
    while (fits := (~taken & (costs <= rest)).nonzero()[0]).size:
        place = fits[spent[groups[fits]].argmin()]  # of equals the first, which is the best
        taken[place] = True
        spent[groups[place]] += costs[place]
        rest -= int(costs[place])
    return records[taken]


def share_budget(costs: np.ndarray, budget: int) -> list[int]:
    """Shares a budget equally among groups; what a group cannot use goes to the others.

    Args:
        costs: ``(G,)`` int64 cost of all that a group has.
        budget: To share; where it is no multiple, the first groups get one more.

    Returns:
        list[int]: ``(G,)``.
    """
    shares = [0] * len(costs)
    costs = np.minimum(costs, budget)  # more is not known for certain, see CandidateFile
    # from the poorest on: each takes its part of what is left, or all that it has
    order = [int(group) for group in np.argsort(costs, kind='stable') if costs[group]]
    for place, group in enumerate(order):
        part = -(-budget // (len(order) - place))
        shares[group] = min(part, int(costs[group]))
        budget -= shares[group]
    return shares


class Choice(NamedTuple):
    """The units of one image that are asked.

    Attributes:
        index: Position in the pool.
        units: ``(M,)`` uint32 in the order of the choice, see :meth:`Selector.mask`.
        limits: Most pixels to ask of a unit, where the budget ended inside of it.
        cost: Cost of all its units, in the unit of the budget.
    """

    index: int
    units: np.ndarray
    limits: dict[int, int]
    cost: int


def choices_of(records: np.ndarray, trimmed: dict[tuple[int, int], int]) -> list[Choice]:
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
