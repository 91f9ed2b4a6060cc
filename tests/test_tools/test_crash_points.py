"""Every state that a crash can leave on the disk in one round, resumed."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from fault_runs import needs_cpu, rounds_cfg
from fault_runs import tool as kill_resume
from helpers import model_cfg
from tiny_runs import INITIAL
from tool_loader import load_tool

from mmseg_tsf.utils.errors import UserError

tool = load_tool('benchmark/crash_points.py')


@pytest.mark.parametrize('argument', ['--rounds', '--limit'])
def test_numbers_below_one_are_refused(argument, tmp_path):
    with pytest.raises(UserError, match='must be at least 1'):
        tool.main([argument, '0', '--work-dir', str(tmp_path)])


@needs_cpu
def test_every_state_of_a_round_is_resumed(data_root, tmp_path):
    work_dir = tmp_path / 'run'

    def make_cfg():
        options = dict(max_iters=2, rounds=1, budget=dict(total=INITIAL + 2), model=model_cfg('mt'))
        query = dict(type='RandomQuery')
        cfg = rounds_cfg(data_root, work_dir, query=query, first_query=query, **options)
        cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)
        cfg.param_scheduler[0].end = 9
        return cfg

    recorded = tool.record(make_cfg())
    reference = kill_resume.outcome(work_dir, 2)
    assert reference['problems'] == [] and reference['spent']['pixels'] == INITIAL + 2
    shutil.rmtree(work_dir)
    chosen = tool.different(recorded)
    kinds = Counter(kind for kind, _, _ in chosen)
    assert len(chosen) > 40 and len(kinds) == 4, kinds
    lost = []
    for kind, count, tree in chosen:
        found = tool.resume(make_cfg(), tree, reference, tmp_path / 'errors')
        lost += [(kind, count, sorted(tree), found)] if found else []
        shutil.rmtree(work_dir)
    assert not lost
