"""Kills tiny active-learning runs at random moments, resumes them and compares what comes out.

    python tools/benchmark/kill_resume.py --kills 20

A run is cut into moments: every file that is opened for writing, synced or renamed, every
checkpoint, training step, scored image and answer. One run is left alone; each other is sent
SIGKILL at one of its moments, resumed, and must end with the same requests, the same labels, the
same weights bit for bit, and a store in which nothing is missing or foreign. The moments are drawn
by ``--seed``, evenly over the kinds. Ends with ``N survived, 0 lost`` and exit status 0, or 1.
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
import traceback
from collections import defaultdict
from pathlib import Path
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.runner import Runner

import mmseg_tsf  # noqa: F401
from mmseg_tsf.active_learning import RoundStore, pool_pass, verify
from mmseg_tsf.active_learning.oracles import GroundTruthOracle
from mmseg_tsf.datasets.demo_street import generate
from mmseg_tsf.engine import ActiveLearningLoop
from mmseg_tsf.utils import run_tool

CONFIG = 'configs/active_learning/tsf-plar-al_r18-tiny-d8_deeplabv3plus_1xb4_demo-street-64x64.py'


def tiny_config(folder: Path, work_dir: Path) -> Config:
    """The demo's active-learning config, cut down to seconds."""
    cfg = Config.fromfile(CONFIG)
    cfg = Config(moved(cfg.to_dict(), cfg.data_root, str(folder)))
    cfg.work_dir, cfg.log_level, cfg.experiment_name = str(work_dir), 'ERROR', work_dir.name
    cfg.train_cfg.update(max_iters=6, rounds=2, budget=dict(total=0.5), val_begin=7)
    cfg.param_scheduler[0].end = 6
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=2)
    cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    cfg.custom_hooks[2].num_workers = 0
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
        """The function with a moment before and one after it."""

        def wrapped(*args, **kwargs):
            self.pass_by(f'before {kind}')
            result = function(*args, **kwargs)
            self.pass_by(f'after {kind}')
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
        ]
        with contextlib.ExitStack() as stack:
            for owner, name, kind in places:
                wrapped = self.around(kind, getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, wrapped))
            yield


def run_in_child(cfg: Config, moments: Moments) -> int:
    """Trains in a forked process; returns its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        with moments.watch(), mock.patch('mmengine.runner.runner.collect_env', return_value={}):
            Runner.from_cfg(cfg).train()
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def outcome(work_dir: Path) -> dict:
    """Everything that two equal runs have in common."""
    store = RoundStore(work_dir / 'rounds')
    log = (work_dir / 'active_learning.jsonl').read_text().splitlines()
    checkpoint = torch.load(work_dir / 'iter_6.pth', map_location='cpu', weights_only=True)
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


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the number of runs that were lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/kill_resume'))
    args = parser.parse_args(argv)
    shutil.rmtree(args.work_dir, ignore_errors=True)
    data = args.work_dir / 'data'
    generate(data, num_train=8, num_val=2, num_labelled=3)
    torch.set_num_threads(1)
    whole, log = args.work_dir / 'whole', args.work_dir / 'moments.txt'
    if run_in_child(tiny_config(data, whole), Moments(log)):
        raise ValueError('the run that nobody kills failed: see above')
    kinds, reference = log.read_text().splitlines(), outcome(whole)
    lost = 0
    for i, fatal in enumerate(draw_moments(kinds, args.kills, args.seed)):
        work_dir = args.work_dir / f'killed_{i:02d}'
        cfg = tiny_config(data, work_dir)
        killed = os.WIFSIGNALED(run_in_child(cfg, Moments(fatal=fatal)))
        cfg.resume = True
        failed = run_in_child(cfg, Moments())
        found = ['it failed'] if failed else differences(reference, outcome(work_dir))
        found += [] if killed else ['it was not killed']
        lost += bool(found)
        print(f'{i:3d} killed {kinds[fatal]} ({fatal} of {len(kinds)}): {found or "same"}')
    print(f'{i + 1 - lost} survived, {lost} lost')
    return lost


if __name__ == '__main__':
    run_tool(lambda: sys.exit(bool(main())))
