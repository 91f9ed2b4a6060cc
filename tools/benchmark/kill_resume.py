"""Kills tiny active-learning runs at random moments, resumes them and compares what comes out.

    python tools/benchmark/kill_resume.py --kills 20
    python tools/benchmark/kill_resume.py --kills 20 --ranks 2

A run is cut into moments: every request, answer, checkpoint and other file that is synced or
renamed, every training step, scored image, answer and word from rank 0 to the others. One run is
left alone; of each other, one process is sent SIGKILL at one of its moments. What it leaves must
pass ``verify``, and, resumed, it must end with the same requests, the same labels, the same weights
bit for bit, and a store in which nothing is missing or foreign. The moments are drawn by
``--seed``, evenly over the kinds. Ends with ``N survived, 0 lost`` and exit status 0, or 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
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
from mmseg_tsf.utils.cli import leave_process_group, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.forked import run_forked

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
"""What is written, by parts of its path; the first that fits."""
MARK = '.kill_resume'
"""Is in folders that may be emptied."""


def tiny_config(folder: Path, work_dir: Path) -> Config:
    """The demo's active-learning config, cut down to seconds."""
    cfg = Config.fromfile(CONFIG)
    cfg = Config(moved(cfg.to_dict(), cfg.data_root, str(folder)))
    cfg.work_dir, cfg.log_level, cfg.experiment_name = str(work_dir), 'ERROR', work_dir.name
    cfg.train_cfg.update(max_iters=6, rounds=2, budget=dict(total=0.5), val_begin=7)
    cfg.param_scheduler[0].end = 6
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=2)
    cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    cfg.default_hooks.partner.num_workers = 0
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.visualizer = None
    return cfg


def moved(value, old: str, new: str):
    """A config in which the paths below one folder lie below another."""
    if isinstance(value, dict):
        return {key: moved(item, old, new) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(moved(item, old, new) for item in value)
    return value.replace(old, new) if isinstance(value, str) else value


WRITERS = os.fsync, os.rename, os.replace


def written(target: int | str | os.PathLike) -> str:
    """What a file or folder holds, by its path or its number among the open ones."""
    path = os.readlink(f'/proc/self/fd/{target}') if isinstance(target, int) else str(target)
    return next((name for part, name in WRITTEN.items() if part in f'{path}/'), 'another file')


class Moments:
    """Counts what a run does and kills it at one of them.

    Args:
        path: File to which the kinds of the moments are written, one a line; ``None`` for none.
        fatal: Number of the moment that the run does not survive.
    """

    def __init__(self, path: Path | None = None, fatal: int | None = None) -> None:
        self.file = open(path, 'w', buffering=1) if path else None  # noqa: SIM115
        self.fatal, self.count = fatal, 0

    def pass_by(self, kind: str) -> None:
        """Notes a moment, or ends the process there."""
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1
        if self.file:
            self.file.write(f'{kind}\n')

    def around(self, kind: str, function):
        """The function with a moment before and one after it; for files, by what they hold."""

        def wrapped(*args, **kwargs):
            full = f'{kind} of {written(args[0])}' if function in WRITERS else kind
            self.pass_by(f'before {full}')
            result = function(*args, **kwargs)
            self.pass_by(f'after {full}')
            return result

        return wrapped

    @contextlib.contextmanager
    def watch(self):
        """Puts the moments into everything that matters."""
        places = [
            (os, 'fsync', 'a sync'),
            (os, 'rename', 'a rename'),
            (os, 'replace', 'a rename'),
            (torch, 'save', 'a checkpoint'),
            (ActiveLearningLoop, 'run_iter', 'a step'),
            (GroundTruthOracle, 'answer', 'an answer'),
            (pool_pass.PoolReader, '__getitem__', 'scoring'),
            (main_process, 'broadcast_object_list', 'a word from rank 0'),
        ]
        with contextlib.ExitStack() as stack:
            for owner, name, kind in places:
                wrapped = self.around(kind, getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, wrapped))
            yield


def run(cfg: Config, moments: Sequence[Moments], stderr: str | None = None) -> list[int]:
    """Trains in processes of their own; returns their exit statuses.

    Args:
        cfg: Of the run.
        moments: One for each rank.
        stderr: File for what they say of errors; see ``run_forked``.
    """
    with tempfile.TemporaryDirectory() as folder:
        meeting = f'file://{folder}/meeting'
        return run_forked(
            lambda rank: train(cfg, moments[rank], rank, len(moments), meeting),
            len(moments),
            stderr,
        )


def train(cfg: Config, moments: Moments, rank: int, world_size: int, meeting: str) -> None:
    """One rank of a run."""
    if world_size > 1:
        cfg.launcher = 'pytorch'
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world_size))
        dist.init_process_group('gloo', meeting, rank=rank, world_size=world_size)
        start_cpu_process_group(cfg)
    with moments.watch(), mock.patch('mmengine.runner.runner.collect_env', return_value={}):
        Runner.from_cfg(cfg).train()
    leave_process_group()


def watched_run(cfg: Config, ranks: int) -> list[tuple[int, int, str]]:
    """A run that nobody kills; returns rank, number in the rank and kind of all its moments."""
    logs = [Path(f'{cfg.work_dir}_moments_{rank}.txt') for rank in range(ranks)]
    if any(run(cfg, [Moments(log) for log in logs])):
        raise UserError('the run that nobody kills failed: see above')
    return [
        (rank, number, kind)
        for rank, log in enumerate(logs)
        for number, kind in enumerate(log.read_text().splitlines())
    ]


def outcome(work_dir: Path) -> dict:
    """Everything that two equal runs have in common."""
    store = RoundStore(work_dir / 'rounds')
    log = (work_dir / 'active_learning.jsonl').read_text().splitlines()
    checkpoint = torch.load(work_dir / 'iter_6.pth', map_location='cpu', weights_only=False)
    return dict(
        weights={name: value for name, value in checkpoint['state_dict'].items()},
        rounds=[
            (store.request(n).info['files'], store.answer(n).info['files'])
            for n in store.answered()
        ],
        problems=verify(store),
        spent=json.loads(log[-1])['spent'],
    )


def differences(reference: dict, other: dict) -> list[str]:
    """In what two outcomes differ."""
    found = list(other['problems'])
    if reference['rounds'] != other['rounds']:
        found.append('requests or labels differ')
    if reference['spent'] != other['spent']:
        found.append('the budget spent differs')
    pairs = ((value, other['weights'].get(name)) for name, value in reference['weights'].items())
    if not all(second is not None and torch.equal(first, second) for first, second in pairs):
        found.append('weights differ')
    return found


def draw_moments(kinds: list[str], num: int, seed: int) -> list[int]:
    """Numbers of ``num`` moments, drawn evenly over their kinds."""
    rng, by_kind = random.Random(seed), defaultdict(list)
    for number, kind in enumerate(kinds):
        by_kind[kind].append(number)
    for numbers in by_kind.values():
        rng.shuffle(numbers)
    names, drawn = sorted(by_kind), []
    while len(drawn) < min(num, len(kinds)):
        name = names[len(drawn) % len(names)]
        drawn.append(by_kind[name].pop())
        names = [name for name in names if by_kind[name]]
    return drawn


def kill_and_resume(cfg: Config, rank: int, fatal: int, ranks: int, reference: dict) -> list[str]:
    """Kills a run, resumes it, and says what is wrong with what comes of it.

    Args:
        cfg: Of the run; its folder is new.
        rank: Which process is killed.
        fatal: At which of its moments.
        ranks: How many processes there are.
        reference: Outcome of a run that nobody killed.

    Returns:
        list[str]: One sentence for each difference.
    """
    store = RoundStore(Path(cfg.work_dir, 'rounds'))
    moments = [Moments(fatal=fatal if own == rank else None) for own in range(ranks)]
    statuses = run(cfg, moments, os.devnull)
    found = [] if statuses[rank] == -signal.SIGKILL else ['it was not killed']
    if store.numbers():
        found += [f'{problem} when it was killed' for problem in verify(store)]
    cfg.resume = True
    if any(run(cfg, [Moments() for _ in range(ranks)])):
        return [*found, 'it failed']
    return found + differences(reference, outcome(Path(cfg.work_dir)))


def empty(folder: Path) -> None:
    """Makes a folder, or deletes what an earlier call has left in it.

    Raises:
        UserError: It holds something else.
    """
    known = (folder / MARK).exists() or (folder / 'whole_moments_0.txt').exists()
    if folder.exists() and any(folder.iterdir()) and not known:
        raise UserError(f'{folder} holds something else: give another --work-dir')
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the number of runs that were lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--kills', type=int, default=20, help='how many runs (%(default)s)')
    parser.add_argument('--ranks', type=int, default=1, help='processes of a run')
    parser.add_argument('--seed', type=int, default=0, help='of the moments (%(default)s)')
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/kill_resume'),
        help='folder; what an earlier call has left there is deleted (%(default)s)',
    )
    args = parser.parse_args(argv)
    if min(args.kills, args.ranks) < 1:
        raise UserError('--kills and --ranks must be at least 1')
    if torch.cuda.is_available():
        raise UserError('runs are equal bit for bit on CPUs: set CUDA_VISIBLE_DEVICES= for this')
    empty(args.work_dir)
    data = args.work_dir / 'data'
    generate(data, num_train=8, num_val=2, num_labelled=3)
    torch.set_num_threads(1)
    kinds = watched_run(tiny_config(data, args.work_dir / 'whole'), args.ranks)
    reference, lost = outcome(args.work_dir / 'whole'), 0
    drawn = draw_moments([f'{kind} {rank}' for rank, _, kind in kinds], args.kills, args.seed)
    for i, place in enumerate(drawn):
        rank, fatal, kind = kinds[place]
        cfg = tiny_config(data, args.work_dir / f'killed_{i:02d}')
        found = kill_and_resume(cfg, rank, fatal, args.ranks, reference)
        lost += bool(found)
        who = f'rank {rank} ' if args.ranks > 1 else ''
        print(f'{i:3d} killed {who}{kind} ({place} of {len(kinds)}): {found or "same"}', flush=True)
    print(f'{len(drawn) - lost} survived, {lost} lost')
    return lost


if __name__ == '__main__':
    run_tool(lambda: sys.exit(bool(main())))
