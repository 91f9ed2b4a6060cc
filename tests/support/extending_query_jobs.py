"""Queries by the strategy of docs/extending.md, in one process and in two."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from extending import run_section
from helpers import NUM_CLASSES, tiny_segmentor
from mmengine.registry import init_default_scope
from query_runs import FakeLabels, make_model, make_pool, plain

from mmseg_tsf.active_learning import QueryContext, k_center, select
from mmseg_tsf.active_learning.campaign.campaign import sum_notes
from mmseg_tsf.active_learning.selection.candidates import RECORD
from mmseg_tsf.active_learning.selection.joint import JointCandidates, best_of_groups
from mmseg_tsf.active_learning.selection.selectors import ImageSelector, PixelSelector

COUNTS = [900, 50, 40, 10]


def make_query(root: Path):
    """Model with dropout, pool of which one image has a manual label, and labelled images."""
    model = make_model(segmentor=tiny_segmentor(dropout_ratio=0.5))
    labels = FakeLabels()
    pool = make_pool(root, labels)
    mask = np.zeros((40, 48), bool)
    mask[3:9, 3:9] = True
    labels.answer(pool, {4: mask})
    return model, pool, make_pool(root, ann_file='labelled.txt')


def ask(root: Path, batch_size: int = 1, budget: int = 3, selector=None, unit: str = 'images'):
    """Choices of the strategy, and its notes summed over ranks."""
    strategy = run_section('A query strategy')['DiverseDisagreement'](passes=3)
    model, pool, labelled = make_query(root)
    strategy.begin(
        QueryContext(model, pool, labelled, 0, 2, 7, root, lambda: np.array(COUNTS[:NUM_CLASSES]))
    )
    selector = selector or ImageSelector()
    options = dict(seed=7, labelled=labelled, batch_size=batch_size)
    chosen = select(model, pool, strategy, selector, budget, unit, **options)
    return plain(chosen), sum_notes(strategy.notes())


def made_up_candidates(rank: int = 0, world_size: int = 1) -> JointCandidates:
    """This rank's share of 57 candidates with embeddings; some lie at one place."""
    rng = np.random.default_rng(0)
    embeddings = rng.integers(-3, 4, (57, 5)).astype(np.float32)
    records = np.zeros(57, RECORD)
    records['key'], records['index'] = rng.permutation(57), np.arange(57)
    records['cost'], records['group'] = rng.integers(1, 5, 57), rng.integers(0, 3, 57)
    candidates = JointCandidates(31)
    candidates.centres = rng.integers(-3, 4, (2, 5)).astype(np.float32)
    for i in range(rank, 57, world_size):
        candidates.add(records[i : i + 1], embeddings[i : i + 1])
    return candidates


def joint_choices(rank: int = 0, world_size: int = 1) -> dict[str, list]:
    """Joint choices among made-up candidates."""
    candidates = made_up_candidates(rank, world_size)
    return {
        'euclidean': k_center(candidates)['index'].tolist(),
        'cosine': k_center(candidates, 'cosine')['index'].tolist(),
        'groups': best_of_groups(candidates, {0: 6, 2: 9})['index'].tolist(),
    }


def work(rank: int, root: str, out: str) -> None:
    """One of two ranks."""
    torch.set_num_threads(1)
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE='2')
    init_default_scope('mmseg')
    dist.init_process_group('gloo', init_method=f'file://{out}/rendezvous', rank=rank, world_size=2)
    pixels = ask(Path(root), selector=PixelSelector(), budget=9, unit='pixels')
    torch.save([ask(Path(root)), pixels, joint_choices(rank, 2)], f'{out}/rank{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()
