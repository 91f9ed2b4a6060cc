"""What two processes do for test_engine/test_distributed.py; importable by spawned processes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from helpers import REFINED, batch_for, build_model, freeze_norm, model_cfg
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image
from tiny_runs import (
    active_learning_cfg,
    make_dataset,
    make_runner,
    part_cfg,
    tiny_runner_cfg,
)

from mmseg_tsf.compat import start_cpu_process_group
from mmseg_tsf.datasets.checks import check_masks
from mmseg_tsf.models.utils.ema import ema_update
from mmseg_tsf.utils.errors import UserError

PER_RANK = 2
# no mixing and no weights per pixel: the mean over ranks is then the mean over the whole batch
SMOOTH = dict(
    mt={},
    cps=dict(ramp=(0.0, 0.0)),
    supervised={},
    cct=dict(decoders=dict(context=1, objects=2)),
    gct=dict(detector_weight=0.1),
    psmt=dict(cutmix=None, noise=0.0, threshold=0.0, turn=1),
    self_training=dict(threshold=0.0),
    u2pl=dict(cutmix=None, contrast_weight=0.0, drop_share=0.0),
    unimatch=dict(cutmix=None, dropout=0.0, threshold=0.0),
    unimatch_v2=dict(cutmix=None, complementary_dropout=False, threshold=0.0),
)


def steps(
    method: str,
    rank: int,
    world_size: int,
    num_steps: int = 2,
    half: bool = False,
    void_on: int | None = None,
    **options,
) -> dict:
    """Some optimiser steps on this rank's share of the batches; returns the state.

    ``half`` leaves the second half of the doubled batch away. On rank ``void_on`` no labelled pixel
    has a class, and where it is given, labels are refined.
    """
    model = build_model(method, pool=20, **options)
    model.is_checked = True
    freeze_norm(model)
    if void_on is not None:
        model.refinement.active = True
    wrapped = model
    if world_size > 1:
        wrapped = MMDistributedDataParallel(
            module=model,
            broadcast_buffers=False,
            find_unused_parameters=model.leaves_parameters_out,
        )
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    size = 2 * PER_RANK // (2 if half else world_size)
    share = slice(rank * size, (rank + 1) * size)
    for step in range(num_steps):
        inputs, samples = batch_for(model, num=2 * PER_RANK, seed=step)
        inputs = {k: v[share] for k, v in inputs.items()}
        samples = {k: v[share] for k, v in samples.items()}
        for branch, own in samples.items():
            for i, sample in enumerate(own):
                first = 10 * (branch == 'partner') + share.start
                sample.set_metainfo(dict(pool_idx=first + i))
        if rank == void_on:
            for sample in samples['labelled']:
                sample.gt_sem_seg.data.fill_(255)
        torch.manual_seed(rank)
        model.iteration = step
        losses = wrapped(inputs, samples, mode='loss')
        loss, _ = model.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for average in model.averages_to_move(step):
            ema_update(getattr(model, average), model.student, 0.5)
    return {k: v.clone() for k, v in model.state_dict().items()}


def bank_options() -> dict:
    """AEL with everything off that draws labelled pixels at random."""
    return dict(num_steps=1, adaptive_copy_paste=False, momentum=0.5, min_presence=0.3)


def warm_up_options() -> dict:
    """PS-MT with a step in which its teachers learn, before two in which one of them follows."""
    return dict(SMOOTH['psmt'], warm_up=1, num_steps=3)


def refined_options() -> dict:
    """A mean teacher with EMD and the paper's vote with learnt weights."""
    return dict(REFINED, refiner=dict(REFINED['refiner'], rule='vote'))


class Partners:
    """Records which partners a rank got."""

    def __init__(self, runner) -> None:
        self.drawn: list = []
        (hook,) = (h for h in runner.hooks if type(h).__name__ == 'AdaptivePartnerHook')
        original = hook.before_train_iter

        def before_train_iter(runner, batch_idx, data_batch=None):
            original(runner, batch_idx, data_batch)
            samples = data_batch['data_samples']['partner']
            self.drawn.append([(s.cutmix_class, s.pool_idx) for s in samples])

        hook.before_train_iter = before_train_iter


def whole_run(root: Path, work_dir: Path) -> dict:
    """A run as ``tools/train.py --launcher pytorch`` starts it on CPUs."""
    cfg = tiny_runner_cfg(
        'tsf',
        root,
        work_dir,
        max_iters=3,
        model=model_cfg('tsf', momentum=0.5),
        launcher='pytorch',
    )
    start_cpu_process_group(cfg)
    runner = make_runner(cfg)
    partners = Partners(runner)
    runner.train()
    state = {k: v.clone() for k, v in runner.model.module.state_dict().items()}
    return dict(state=state, partners=partners.drawn)


def learn_actively(root: Path, work_dir: Path) -> dict:
    """Rounds of active learning on all ranks, killed on all of them in round 1 and resumed."""
    results = {}
    for resume in (False, True):
        cfg = active_learning_cfg('tsf', root, work_dir, launcher='pytorch')
        cfg.resume = resume
        start_cpu_process_group(cfg)
        runner = make_runner(cfg)
        if not resume:
            runner.train_loop._max_iters = 5  # as if killed there, behind the second round
        runner.train()
    folder = Path(runner.train_loop.dataloader.dataset.unlabelled.pipeline.transforms[1].folder)
    results['labels'] = {p.name: p.read_bytes() for p in sorted(folder.rglob('*.png'))}
    results['iter'] = runner.iter
    return results


def check_together(root: Path, own: Path) -> dict:
    """Counts of all labelled masks, and the error of a mask that only the second rank opens."""
    counts = check_masks(DATASETS.build(part_cfg(root, 'labelled.txt')), 'key')
    make_dataset(own)
    Image.fromarray(np.full((40, 48), 4, np.uint8)).save(own / 'ann/frame_1.png')
    try:
        check_masks(DATASETS.build(part_cfg(own, 'labelled.txt')), 'key')
    except UserError as error:
        return dict(counts=counts, error=str(error))


def work(rank: int, root: str, out: str) -> None:
    """Everything that needs two ranks."""
    torch.set_num_threads(1)
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE='2')
    init_default_scope('mmseg')
    dist.init_process_group('gloo', init_method=f'file://{out}/rendezvous', rank=rank, world_size=2)
    results = {method: steps(method, rank, 2, **more) for method, more in SMOOTH.items()}
    results['banks'] = steps('tsf', rank, 2, **bank_options())
    results['warm_up'] = steps('psmt', rank, 2, **warm_up_options())
    results['refined'] = steps('mt', rank, 2, **refined_options())
    results['queues'] = steps('u2pl', rank, 2, keys=20, cutmix=None)
    results['uneven'] = steps('tsf', rank, 2, void_on=1, **REFINED)
    results['run'] = whole_run(Path(root), Path(out) / 'run')
    results['rounds'] = learn_actively(Path(root), Path(out) / 'rounds')
    results['checks'] = check_together(Path(root), Path(out) / f'spoiled_{rank}')
    torch.save(results, f'{out}/rank{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()
