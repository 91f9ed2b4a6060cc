"""Record of a run, from which result tables are written."""

from __future__ import annotations

import hashlib
import json
import os.path as osp
import resource
import subprocess
from pathlib import Path

import torch
from mmengine.dist import get_world_size, is_main_process
from mmengine.runner import Runner

from ..datasets.wrappers import parts_of
from ..reporting.run_reader import read_json
from ..utils.files import sha256, write_file
from ..utils.runner import unwrap

FILE_NAME = 'run_info.json'


def describe_run(runner: Runner) -> dict:
    """Describes method, config, split lists, seed, length and commit of a run, ready for JSON."""
    model = unwrap(runner)
    dataset = runner.train_loop.dataloader.dataset
    lists = {}
    for branch in ('labelled', 'unlabelled'):
        images = getattr(dataset, branch, None)
        if images is not None:
            paths = [part.ann_file for part in parts_of(images)]
            digests = [_digest(path) for path in paths]
            lists[branch] = dict(
                ann_file=', '.join(paths),
                images=len(images),
                sha256=digests[0] if len(digests) == 1 else _joined(digests),
            )
    return dict(
        **model.describe(),
        config=runner.cfg.filename and osp.relpath(runner.cfg.filename),
        lists=lists,
        seed=runner.seed,
        max_iters=runner.max_iters,
        batch_size=runner.train_loop.dataloader.batch_size,
        accumulative_counts=runner.cfg.optim_wrapper.get('accumulative_counts', 1),
        world_size=get_world_size(),
        device=device_name(),
        torch=torch.__version__,
        torch_threads=torch.get_num_threads(),
        commit=commit(),
    )


def start_record(runner: Runner) -> None:
    """Writes ``run_info.json`` into the work dir when training starts (main process only).

    A resumed run keeps the first record and adds its commit to it.
    """
    record = describe_run(runner)
    if not is_main_process():
        return
    old = _read(runner)
    if runner.iter and old:
        resumed = [*old.get('resumed_with_commit', []), record['commit']]
        record = dict(old, max_iters=record['max_iters'], resumed_with_commit=resumed)
    _write(runner, record)


def finish_record(runner: Runner) -> None:
    """Adds the finished iterations and the peak memory to the record (main process only)."""
    if is_main_process():
        end = dict(finished_iters=runner.iter, peak_memory_mib=peak_memory_mib())
        _write(runner, dict(_read(runner), **end))


def _read(runner: Runner) -> dict:
    path = osp.join(runner.work_dir, FILE_NAME)
    if not osp.isfile(path):
        return {}
    return read_json(Path(path), 'restore it, or move it away to start a new record')


def _write(runner: Runner, record: dict) -> None:
    content = json.dumps(record, indent=2) + '\n'
    write_file(Path(runner.work_dir, FILE_NAME), content.encode())


def peak_memory_mib() -> float:
    """Peak memory so far in MiB: allocated on the GPU, else resident in this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def device_name() -> str:
    """Name of the GPU, or ``'cpu'``."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu'


def _digest(path: str) -> str | None:
    return sha256(Path(path))[:16] if path and osp.isfile(path) else None


def _joined(digests: list[str | None]) -> str:
    """Digest of several lists."""
    return hashlib.sha256(' '.join(map(str, digests)).encode()).hexdigest()[:16]


def commit() -> str | None:
    """Commit of the checkout, with ``-dirty`` for changed files; ``None`` without a checkout."""
    folder = osp.dirname(osp.abspath(__file__))

    def git(*args: str) -> str:
        return subprocess.run(
            ['git', '-C', folder, *args], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git('status', '--porcelain', '--untracked-files=no')
        return git('rev-parse', '--short=12', 'HEAD') + ('-dirty' if changed else '')
    except (OSError, subprocess.CalledProcessError):
        return None
