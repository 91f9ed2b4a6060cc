"""Counts of what the refinement decides by itself."""

import torch

from mmseg_tsf.active_learning.pool.statistics import PoolStatistics


def test_counts_add_up_and_leave_the_padding_out():
    statistics = PoolStatistics()
    valid = torch.tensor([[[True, True, True, False]]])
    flagged = torch.tensor([[[True, True, False, True]]])
    unresolved = torch.tensor([[[True, False, False, True]]])
    for _ in range(2):
        statistics.add(valid, flagged, unresolved)
    expected = dict(cells=6, flagged=4, corrected=2, unresolved=2)
    assert statistics.compute(torch.device('cpu')) == expected


def test_no_refinement_no_figures():
    assert PoolStatistics().compute(torch.device('cpu')) == {}
