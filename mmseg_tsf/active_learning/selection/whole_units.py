"""A budget of pixels or clicks spent on units that are asked in full or not at all."""

from __future__ import annotations

import numpy as np

REACH = 8
"""Candidates are kept as far as this many budgets would go, for those that do not fit: smaller
units that still fit are found unless eight budgets of better ones do not."""


def take_whole_units(records: np.ndarray, shares: list[int], budget: int) -> np.ndarray:
    """Spends a budget, best first, on units that cost different amounts.

    A unit that does not fit any more is passed over. Each group spends its share first; what is
    left then, less than a unit of each, goes unit by unit to the group that has spent least.

    Args:
        records: ``(M,)`` candidates (``spool.RECORD``), none above the budget.
        shares: ``(G,)`` share of each group in the budget.
        budget: All that may be spent.

    Returns:
        np.ndarray: Those that are taken, the same for the same candidates in any order.
    """
    records = records[np.lexsort((records['unit'], records['index'], ~records['key']))]
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
