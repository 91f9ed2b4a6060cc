"""Runs of the method of docs/extending.md, in one process and in two; importable when spawned."""

from __future__ import annotations

import os
from pathlib import Path

import torch
import torch.distributed as dist
from extending import run_section
from helpers import tiny_segmentor
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from tiny_runs import make_runner, tiny_runner_cfg

from mmseg_tsf.compat import start_cpu_process_group

LAST, SAVED, KILLED = 7, 3, 5


class Watch(Hook):
    """Keeps losses and rates of every iteration; kills the run before one of them."""

    priority = 'VERY_LOW'

    def __init__(self, kill_before: int) -> None:
        self.kill_before, self.losses, self.rates, self.averages = kill_before, {}, {}, {}

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if batch_idx == self.kill_before:
            raise KeyboardInterrupt

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        optimizer = runner.optim_wrapper.optimizer
        groups = [*optimizer.main.param_groups, *optimizer.parts['projection'].param_groups]
        self.losses[batch_idx] = {name: float(value) for name, value in outputs.items()}
        self.rates[batch_idx] = [group['lr'] for group in groups]
        model = getattr(runner.model, 'module', runner.model)
        self.averages[batch_idx] = {
            name: getattr(model, name).parts['projection'].weight.detach().clone()
            for name in model.network_names
        }


def run(root: Path, work_dir: Path, kill_before: int = -1, resume=False, accumulate=1, **options):
    """One run of ``TwoTeachers``, killed before an iteration or not; returns its record."""
    run_section('A method')
    model = dict(type='TwoTeachers', segmentor=tiny_segmentor())
    cfg = tiny_runner_cfg('', root, work_dir, max_iters=LAST, model=model, resume=resume, **options)
    cfg.default_hooks.checkpoint.interval = SAVED + accumulate - 1  # after whole updates
    cfg.optim_wrapper.accumulative_counts = accumulate
    if cfg.get('launcher', 'none') != 'none':
        start_cpu_process_group(cfg)
    runner = make_runner(cfg)
    watch = Watch(kill_before)
    runner.register_hook(watch)
    try:
        runner.train()
    except KeyboardInterrupt:
        assert kill_before >= 0
    return watch


def work(rank: int, root: str, out: str) -> None:
    """A run of two ranks, one that is killed, and its resumption."""
    torch.set_num_threads(1)
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE='2')
    init_default_scope('mmseg')
    dist.init_process_group('gloo', init_method=f'file://{out}/rendezvous', rank=rank, world_size=2)
    whole = run(Path(root), Path(out, 'whole'), launcher='pytorch')
    run(Path(root), Path(out, 'killed'), KILLED, launcher='pytorch')
    resumed = run(Path(root), Path(out, 'killed'), resume=True, launcher='pytorch')
    torch.save([whole.averages, resumed.averages], f'{out}/rank{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()
