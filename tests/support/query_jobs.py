"""What two processes do for test_selection.py; importable by spawned processes."""

from __future__ import annotations

import os
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.registry import init_default_scope
from query_runs import STRATEGIES, make_model, make_pool, plain, random_images, run_query

from mmseg_tsf.active_learning.selection import candidates as candidate_file
from mmseg_tsf.active_learning.selection.selection import choose
from mmseg_tsf.active_learning.selection.selectors.pixels import PixelSelector
from mmseg_tsf.active_learning.selection.selectors.regions import GridSelector

CUTS = {
    'pixels': (PixelSelector(suppression=0), dict(budget=77)),
    'blocks': (PixelSelector(block=3), dict(budget=301)),
    'balanced': (PixelSelector(block=3, class_balanced=True), dict(budget=301)),
    'regions': (GridSelector(12), dict(budget=1300)),
    'balanced_regions': (GridSelector(7, class_balanced=True), dict(budget=1300)),
    'clicks': (GridSelector(9, class_balanced=True), dict(budget=41, unit='clicks')),
    'pool_order': (PixelSelector(), dict(budget=50, in_pool_order=True)),
}


def queries(root: str) -> dict[str, list]:
    """Requests of every strategy, and of cuts through simulated pools."""
    model, pool = make_model(), make_pool(Path(root))
    found = {name: plain(run_query(model, pool, name, batch_size=2)) for name in STRATEGIES}
    rank = dist.get_rank() if dist.is_initialized() else 0
    step = dist.get_world_size() if dist.is_initialized() else 1
    candidate_file.CHUNK = 8  # so that each process drops records that cannot be chosen
    for name, (selector, options) in CUTS.items():
        images = random_images(41)[rank::step]
        found[f'cut_{name}'] = plain(choose(images, selector, seed=5, **options))
    return found


def work(rank: int, root: str, out: str) -> None:
    """One of two ranks."""
    torch.set_num_threads(1)
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE='2')
    init_default_scope('mmseg')
    dist.init_process_group('gloo', init_method=f'file://{out}/rendezvous', rank=rank, world_size=2)
    torch.save(queries(root), f'{out}/rank{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()
