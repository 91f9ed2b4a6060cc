"""Calls the tools with broken arguments and files; lists what ends in neither a result nor a
sentence.

    python tests/support/fuzz.py --seconds 3600 --seed 0

Every call gets a fresh copy of a small world (a run with rounds, a config, a checkpoint, result
files), in which one argument or one file is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import made_up_runs
import numpy as np
import torch
from helpers import REFINED, model_cfg
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from tiny_runs import active_learning_cfg, make_dataset
from tool_loader import ROOT, load_tool  # noqa: F401

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.files import MANIFEST, SEAL

LIMIT = 60
"""Seconds after which a call counts as hanging."""
CALLS = {
    'active_learning/status.py': ['run'],
    'active_learning/verify.py': ['run'],
    'active_learning/replay.py': ['run', '--round', '1', '-o', 'out'],
    'active_learning/curves.py': ['run', '-o', 'out', '--full', '70'],
    'active_learning/export_requests.py': ['waiting', '--format', 'coco', '-o', 'out'],
    'active_learning/import_answers.py': ['run', 'export.json', '--format', 'coco'],
    'active_learning/compare.py': ['--table-only', '--work-dir', 'grid'],
    'report.py': ['run', '-o', 'out', '--gallery', '1'],
    'results_table.py': ['run', 'results.json', '-o', 'out.md', '--json', 'out.json'],
    'compare_runs.py': ['run', '--title', 'x', '-o', 'out.md'],
    'export_segmentor.py': ['weights.pth', 'out.pth'],
    'model_converters/plain_weights.py': ['weights.pth', 'out.pth'],
    'model_converters/efficientnet_lite0.py': ['weights.pth', '-o', 'out.pth'],
    'make_splits.py': [
        '--image-dir',
        'data/img',
        '--suffix',
        '.png',
        '--out',
        'out',
        '--counts',
        '1',
    ],
    'analysis/class_weights.py': ['config.py'],
    'analysis/label_quality.py': ['run'],
    'analysis/pseudo_labels.py': ['config.py', 'weights.pth', '-o', 'out.png', '--num', '1'],
    'analysis/feature_tsne.py': ['config.py', 'weights.pth', '-o', 'out.png', '--images', '1'],
    'analysis/plar_ablation.py': ['config.py', 'weights.pth', '--images', '1', '--json', 'o.json'],
    'benchmark/speed_table.py': ['speed.json', '-o', 'out.md'],
    'browse_batch.py': ['config.py', '-o', 'out', '--batches', '1'],
    'train.py': ['config.py', '--dry-run', '--work-dir', 'out'],
    'test.py': ['config.py', 'weights.pth', '--work-dir', 'out'],
    'dataset_converters/aerial.py': ['data', '-o', 'out'],
    'dataset_converters/camvid.py': ['data', '-o', 'out'],
    'dataset_converters/demo_street.py': ['out', '--labelled', '1', '--train', '2', '--val', '1'],
}
"""Arguments of a call of each tool that reads something."""
SLOW = ('train.py', 'test.py', 'browse_batch.py', 'analysis/feature_tsne.py',
        'analysis/pseudo_labels.py', 'analysis/plar_ablation.py', 'active_learning/compare.py',
        'dataset_converters/demo_street.py')  # fmt: skip
"""Tools that are called on demand alone."""
WRONG = [
    *('', 'nowhere', 'run', 'empty', 'binary', 'text', 'empty/x', 'broken.json', 'loop', '-1'),
    *('nan', '1e400', 'ü', 'a\nb', '9' * 20, '/dev/null/x', 'x' * 5000, 'broken.py'),
]
VALUES = [None, True, -1, 0.5, 10**30, float('nan'), float('inf'), '', 'x', [], {}, [None]]
TEXTS = ['', 'a = (', 'model = 5', '_base_ = "nowhere.py"', 'raise ValueError()', 'a = b', '\0',
         'model = dict(type="X")', 'import nowhere', 'custom_imports = dict(imports=["nowhere"])',
         'default_scope = "mmseg"\nmodel = dict(type=[])', '\ufeffmodel = 1']  # fmt: skip


def make_world(root: Path) -> Path:
    """Writes what the tools read; returns the folder."""
    root.mkdir(parents=True)
    run = made_up_runs.make_run(root / 'run', images=2)
    tested = dict(checkpoint='iter_90.pth', metrics=made_up_runs.metrics(40.0))
    (run / 'test_metrics.json').write_text(json.dumps(tested))
    waiting = RoundStore(made_up_runs.make_run(root / 'waiting', rounds=1, images=2) / 'rounds')
    mask = np.zeros(made_up_runs.SIZE, bool)
    mask[:3] = True
    notes = dict(pixels=int(mask.sum()), regions=1, components=1, clicks=5)
    info = dict(unit='pixels', strategy='EntropyQuery', seed=0)
    waiting.write_request(1, [('town/0000', mask, notes)], info)
    make_dataset(root / 'data', 3, 3)
    with _inside(root):
        cfg = active_learning_cfg(
            'mt', Path('data'), Path('out'), max_iters=2, rounds=1, model=model_cfg('mt', **REFINED)
        )
        cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
        cfg.test_cfg = dict(type='TestLoop')
    (root / 'config.py').write_text(cfg.pretty_text)
    init_default_scope('mmseg')
    state = MODELS.build(ConfigDict(cfg.model)).state_dict()
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=state), root / 'weights.pth')
    (root / 'results.json').write_text(json.dumps(dict(groups=[], runs=[])))
    shutil.copytree(run, root / 'grid/made_up/seed_0')
    (root / 'export.json').write_text(json.dumps(dict(images=[], annotations=[], categories=[])))
    (root / 'speed.json').write_text(json.dumps(dict(device='cpu', rows=[])))
    (root / 'empty').touch()
    (root / 'binary').write_bytes(bytes(range(256)) * 4)
    (root / 'text').write_text('a\nb\n')
    (root / 'broken.json').write_text('{"a": ')
    (root / 'broken.py').write_text('a = (')
    (root / 'loop').symlink_to('loop')
    return root


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Context with another working directory."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def break_argument(rng: random.Random, args: list[str]) -> str:
    """Replaces an argument, in place; returns what was done."""
    at = rng.randrange(len(args))
    args[at] = rng.choice(WRONG)
    return f'argument {at} is {args[at][:30]!r}'


def break_file(rng: random.Random, root: Path, names: list[str]) -> str:
    """Breaks one file among or below the named ones; returns what was done."""
    names = [*names, *(['data'] if 'config.py' in names else [])]
    files = [p for name in names for p in ([root / name, *sorted((root / name).rglob('*'))])]
    files = [path for path in files if path.is_file() and not path.is_symlink()]
    rare = [path for path in files if path.suffix != '.png' or rng.random() < 0.2]
    path = rng.choice(rare or files)
    content, how = path.read_bytes(), rng.choice(list(BREAK))
    path.unlink()
    BREAK[how](rng, path, content)
    seal = path.with_name(SEAL)
    if path.name == MANIFEST and path.is_file() and rng.random() < 0.7:
        seal.write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    return f'{path.relative_to(root)}: {how}'


def _spoil(rng: random.Random, path: Path, content: bytes) -> None:
    spoiled = bytearray(content or b'x')
    for _ in range(rng.randint(1, 4)):
        spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
    path.write_bytes(spoiled)


def _values(rng: random.Random, path: Path, content: bytes) -> None:
    """Replaces or deletes one value of a JSON file, or of each line of one."""
    out, by_line = [], path.name in ('scalars.json', 'active_learning.jsonl')
    for line in content.splitlines() if by_line else [content]:
        try:
            value = json.loads(line)
        except ValueError:
            return _spoil(rng, path, content)
        out.append(json.dumps(_change(rng, value)).encode())
    path.write_bytes(b'\n'.join(out))
    return None


def _change(rng: random.Random, value: object) -> object:
    if isinstance(value, dict | list) and value and rng.random() < 0.9:
        key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if rng.random() < 0.2:
            del value[key]
        else:
            value[key] = _change(rng, value[key])
        return value
    return rng.choice(VALUES)


BREAK: dict[str, Callable[[random.Random, Path, bytes], object]] = {
    'missing': lambda rng, path, content: None,
    'empty': lambda rng, path, content: path.touch(),
    'a folder': lambda rng, path, content: path.mkdir(),
    'a link to itself': lambda rng, path, content: path.symlink_to(path),
    'cut off': lambda rng, path, content: path.write_bytes(
        content[: rng.randrange(len(content) + 1)]
    ),
    'bytes': lambda rng, path, content: path.write_bytes(rng.randbytes(50)),
    'spoiled': _spoil,
    'values': _values,
    'other values': _values,
    'text': lambda rng, path, content: path.write_text(rng.choice(TEXTS)),
    'nested': lambda rng, path, content: path.write_text('[' * 100000),
}


def call(name: str, args: list[str], root: Path) -> str:
    """Runs a tool in the world; returns what is wrong with how it ended, or nothing."""

    def stop(*_) -> None:
        raise TimeoutError(f'hangs for {LIMIT} s')

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    said = io.StringIO()
    try:
        with (
            _inside(root), mock.patch.object(sys, 'argv', [name, *args]),
            contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said),
            warnings.catch_warnings(),
        ):  # fmt: skip
            warnings.simplefilter('ignore')
            run_tool(load_tool(name).main)
    except SystemExit as stopped:
        if stopped.code in (0, 2, None) or (stopped.code == 1 and 'verify' in name):
            return ''
        return f'exit status {stopped.code}'
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        ours = [f for f in traceback.extract_tb(error.__traceback__) if '/mmseg_tsf/' in f.filename]
        ours = ours or traceback.extract_tb(error.__traceback__)[-1:]
        place = f'{Path(ours[-1].filename).name}:{ours[-1].lineno}'
        return f'{type(error).__name__} at {place}: {str(error)[:100]!r}'
    finally:
        signal.alarm(0)
    return ''


def fuzz(folder: Path, seed: int, seconds: float, calls: int, names: list[str]) -> list[str]:
    """Faults that calls with one broken thing each have shown.

    Args:
        folder: Empty folder to work in.
        seed: Seed of the choices.
        seconds: Time after which no call is begun.
        calls: Most calls.
        names: Tools to call.
    """
    rng, world, found = random.Random(seed), make_world(folder / 'world'), []
    done = 0
    end = time.monotonic() + seconds
    for number in range(calls):
        if time.monotonic() > end:
            break
        name, root = names[number % len(names)], folder / 'copy'
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(world, root, symlinks=True)
        args, done = list(CALLS[name]), number + 1
        what = break_file(rng, root, args) if _reads(args, root) and rng.random() < 0.75 else ''
        what = what or break_argument(rng, args)
        fault = call(name, args, root)
        if fault:
            found.append(f'{name}, {what}: {fault}')
            print(found[-1], flush=True)
    print(done, 'calls')
    return found


def _reads(args: list[str], root: Path) -> bool:
    return any((root / name).exists() for name in args)


def main() -> None:
    """Prints the faults and how often each place failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=3600)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--tools', nargs='+', choices=CALLS, default=list(CALLS))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        faults = fuzz(Path(folder), args.seed, args.seconds, 10**9, args.tools)
    print(f'{len(faults)} faults', Counter(f.split(',')[0] for f in faults))
    sys.exit(bool(faults))


if __name__ == '__main__':
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    main()
