"""Kills tiny active-learning runs at random moments, resumes them and compares the outcomes.

    python tools/benchmark/kill_resume.py --kills 20
    python tools/benchmark/kill_resume.py --kills 20 --ranks 2

A moment is before or after every sync or rename of a request, answer, checkpoint or other file,
every training step, scored image, answer, and broadcast of rank 0. One run is not killed. In each
of the others, one process receives SIGKILL at one of its moments. The files that it leaves must
pass ``verify``. The resumed run must end with the same requests, the same labels, bit-equal
weights, and a store without missing or foreign files. The moments are drawn with ``--seed``, evenly
over their kinds. Prints ``N survived, 0 lost``; the exit status is 0 if no run is lost, else 1.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from unittest import mock

import matplotlib.backends.backend_agg  # noqa: F401  (as _dynamo, a late import of each process)
import torch
import torch._dynamo
import torch.distributed as dist
from mmengine.config import Config
from mmengine.runner import Runner

import mmseg_tsf  # noqa: F401
from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.active_learning.oracles.simulated import GroundTruthOracle
from mmseg_tsf.active_learning.pool import pool_pass
from mmseg_tsf.compat import start_cpu_process_group
from mmseg_tsf.demo.data_set import generate
from mmseg_tsf.engine import ActiveLearningLoop
from mmseg_tsf.utils import main_process
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.processes import leave_process_group, run_forked

CONFIG = (
    Path(__file__).parents[2]
    / 'configs/active_learning/tsf-plar-al_r18-tiny-d8_deeplabv3plus_1xb4_demo-street-64x64.py'
)
WRITTEN = {
    '/rounds/labels/': 'labels',
    '/request/': 'a request',
    '/.round_': 'a request',
    '/answer/': 'an answer',
    '/.answer.': 'an answer',
    'campaign.json': 'the campaign',
    'active_learning.jsonl': 'the log',
    'last_checkpoint': 'a checkpoint',
    '.pth': 'a checkpoint',
}
"""Kind of a written file, by a part of its path; the first match counts."""
MARK = '.kill_resume'
"""Marks folders that this tool may empty."""


def tiny_config(folder: Path, work_dir: Path) -> Config:
    """The demo's active-learning config, cut down to seconds."""
    cfg = Config.fromfile(CONFIG)
    cfg = Config.fromstring(cfg.pretty_text.replace(cfg.data_root, str(folder)), '.py')
    cfg.work_dir, cfg.log_level, cfg.experiment_name = str(work_dir), 'ERROR', work_dir.name
    cfg.train_cfg.update(max_iters=6, rounds=2, budget=dict(total=0.5), val_begin=7)
    cfg.param_scheduler[0].end = 6
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=2)
    cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    cfg.default_hooks.partner.num_workers = 0
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.visualizer = None
    return cfg


WRITERS = os.fsync, os.rename, os.replace


def written(target: int | str | os.PathLike) -> str:
    """Kind of a file or folder, by its path or its file descriptor."""
    path = os.readlink(f'/proc/self/fd/{target}') if isinstance(target, int) else str(target)
    return next((name for part, name in WRITTEN.items() if part in f'{path}/'), 'another file')


class Moments:
    """Counts what a run does and kills it at one of them.

    Args:
        path: File to which the kinds of the moments are written, one per line; ``None`` for none.
        fatal: Number of the moment at which the process is killed.
    """

    def __init__(self, path: Path | None = None, fatal: int | None = None) -> None:
        self.file = open(path, 'w', buffering=1) if path else None  # noqa: SIM115
        self.fatal, self.count = fatal, 0

    def pass_by(self, kind: str) -> None:
        """Records a moment, or kills the process at it."""
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1
        if self.file:
            self.file.write(f'{kind}\n')

    def around(self, kind: str, function):
        """Function with a moment before and one after it; file functions name the kind of file."""

        def wrapped(*args, **kwargs):
            full = f'{kind} of {written(args[0])}' if function in WRITERS else kind
            self.pass_by(f'before {full}')
            result = function(*args, **kwargs)
            self.pass_by(f'after {full}')
            return result

        return wrapped

    @contextlib.contextmanager
    def watch(self):
        """Context in which the functions that change the state of a run have moments."""
        places = [
            (os, 'fsync', 'a sync'),
            (os, 'rename', 'a rename'),
            (os, 'replace', 'a rename'),
            (torch, 'save', 'a checkpoint'),
            (ActiveLearningLoop, 'run_iter', 'a step'),
            (GroundTruthOracle, 'answer', 'an answer'),
            (pool_pass.PoolReader, '__getitem__', 'scoring'),
            (main_process, 'broadcast_object_list', 'a broadcast of rank 0'),
        ]
        with contextlib.ExitStack() as stack:
            for owner, name, kind in places:
                wrapped = self.around(kind, getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, wrapped))
            yield


def run(cfg: Config, moments: Sequence[Moments], stderr: str | None = None) -> list[int]:
    """Trains in forked processes, one per rank; returns their exit statuses."""
    with tempfile.TemporaryDirectory() as folder:
        work = partial(train, cfg, moments, f'file://{folder}/meeting')
        return run_forked(work, len(moments), stderr)


def train(cfg: Config, moments: Sequence[Moments], meeting: str, rank: int) -> None:
    """Trains as one rank of a run."""
    if len(moments) > 1:
        cfg.launcher = 'pytorch'
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(len(moments)))
        dist.init_process_group('gloo', meeting, rank=rank, world_size=len(moments))
        start_cpu_process_group(cfg)
    with moments[rank].watch(), mock.patch('mmengine.runner.runner.collect_env', return_value={}):
        Runner.from_cfg(cfg).train()
    leave_process_group()


def watched_run(cfg: Config, ranks: int) -> list[tuple[int, int, str]]:
    """Trains without a kill; returns rank, number in the rank and kind of all moments."""
    logs = [Path(f'{cfg.work_dir}_moments_{rank}.txt') for rank in range(ranks)]
    if any(run(cfg, [Moments(log) for log in logs])):
        raise UserError('the run without a kill failed: see the error above')
    return [
        (rank, number, kind)
        for rank, log in enumerate(logs)
        for number, kind in enumerate(log.read_text().splitlines())
    ]


def outcome(work_dir: Path, iterations: int = 6) -> dict:
    """Everything in which two equal runs of so many iterations must agree."""
    store = RoundStore(work_dir / 'rounds')
    log = (work_dir / 'active_learning.jsonl').read_text().splitlines()
    last = work_dir / f'iter_{iterations}.pth'
    checkpoint = torch.load(last, map_location='cpu', weights_only=False)
    return dict(
        weights=dict(checkpoint['state_dict']),
        rounds=[
            (store.request(n).info['files'], store.answer(n).info['files'])
            for n in store.answered()
        ],
        problems=verify(store),
        spent=json.loads(log[-1])['spent'],
    )


def differences(reference: dict, other: dict) -> list[str]:
    """Differences between two outcomes, one sentence each."""
    found = list(other['problems'])
    if reference['rounds'] != other['rounds']:
        found.append('requests or labels differ')
    if reference['spent'] != other['spent']:
        found.append('the budget spent differs')
    first, second = reference['weights'], other['weights']
    if not all(key in second and torch.equal(first[key], second[key]) for key in first):
        found.append('weights differ')
    return found


def draw_moments(kinds: list[str], num: int, seed: int) -> list[int]:
    """Draws the numbers of ``num`` moments, evenly over their kinds."""
    shuffled, by_kind = random.Random(seed).sample(range(len(kinds)), len(kinds)), defaultdict(list)
    for number in shuffled:
        by_kind[kinds[number]].append(number)
    turns = itertools.zip_longest(*(by_kind[kind] for kind in sorted(by_kind)))
    return [number for turn in turns for number in turn if number is not None][:num]


def kill_and_resume(cfg: Config, rank: int, fatal: int, ranks: int, reference: dict) -> list[str]:
    """Kills ``rank`` at its moment ``fatal``, resumes the run, and returns the differences."""
    store = RoundStore(Path(cfg.work_dir, 'rounds'))
    moments = [Moments(fatal=fatal if own == rank else None) for own in range(ranks)]
    killed = run(cfg, moments, os.devnull)[rank] == -signal.SIGKILL
    found = [] if killed else ['it was not killed']
    if store.numbers():
        found += [f'{problem} when it was killed' for problem in verify(store)]
    cfg.resume = True
    if any(run(cfg, [Moments() for _ in range(ranks)])):
        return [*found, 'it failed']
    return found + differences(reference, outcome(Path(cfg.work_dir)))


def empty(folder: Path) -> None:
    """Makes a folder, or deletes the runs of an earlier call in it, but no other files."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise UserError(f'{folder} holds other files: give another --work-dir')
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the number of lost runs."""
    parser = ToolParser(__doc__)
    parser.add_argument('--kills', type=int, default=20, help='number of runs (%(default)s)')
    parser.add_argument('--ranks', type=int, default=1, help='processes of a run (%(default)s)')
    parser.share('--seed', help='seed of the moments (%(default)s)')
    parser.share(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/kill_resume'),
        help='folder for the runs; runs of an earlier call are deleted (%(default)s)',
    )
    args = parser.parse_args(argv)
    if min(args.kills, args.ranks) < 1:
        raise UserError('--kills and --ranks must be at least 1')
    if torch.cuda.is_available():
        raise UserError('runs are bit-equal on CPUs only: set CUDA_VISIBLE_DEVICES= (empty)')
    empty(args.work_dir)
    data = args.work_dir / 'data'
    generate(data, num_train=8, num_val=2, num_labelled=3)
    torch.set_num_threads(1)
    kinds = watched_run(tiny_config(data, args.work_dir / 'whole'), args.ranks)
    reference, lost = outcome(args.work_dir / 'whole'), 0
    drawn = draw_moments([f'{kind} {rank}' for rank, _, kind in kinds], args.kills, args.seed)
    for i, place in enumerate(drawn):
        (rank, fatal, kind), folder = kinds[place], args.work_dir / f'killed_{i:02d}'
        found = kill_and_resume(tiny_config(data, folder), rank, fatal, args.ranks, reference)
        lost += bool(found)
        where = f'rank {rank} {kind} ({place} of {len(kinds)})'
        print(f'{i:3d} killed {where}: {found or "same"}', flush=True)
    print(f'{len(drawn) - lost} survived, {lost} lost')
    return lost


if __name__ == '__main__':
    run_tool(lambda: sys.exit(bool(main())))
