"""Signals that end a training: where it stops, what it leaves, and what it ends with later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch.distributed as dist
from fault_runs import needs_cpu, rounds_cfg
from mmengine.hooks import Hook
from tiny_runs import (
    assert_equal,
    load_checkpoint,
    make_runner,
    tiny_runner_cfg,
)

from mmseg_tsf.compat import start_cpu_process_group
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.processes import run_forked
from mmseg_tsf.utils.stopping import stopping_gracefully

ROOT = Path(__file__).parents[3]
pytestmark = needs_cpu


class Send(Hook):
    """Sends signals to processes in the midst of an iteration."""

    def __init__(self, iteration: int, *numbers: int, group: bool = False) -> None:
        self.iteration, self.numbers, self.group = iteration, numbers, group

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if batch_idx == self.iteration:
            for number in self.numbers:
                os.killpg(0, number) if self.group else os.kill(os.getpid(), number)


def train(cfg, rank: int = 0, ranks: int = 1, send: Send | None = None, folder=None) -> None:
    """A run as ``tools/train.py`` starts it; only the last rank gets a signal."""
    if ranks > 1:
        cfg.launcher = 'pytorch'
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(ranks))
        meeting = f'file://{folder}/meeting_{send is None}'
        dist.init_process_group('gloo', meeting, rank=rank, world_size=ranks)
        start_cpu_process_group(cfg)
    with stopping_gracefully():
        runner = make_runner(cfg)
        if send is not None and rank == ranks - 1:
            if send.group:
                os.setpgrp()
            runner.register_hook(send)
        runner.train()


def statuses(cfg, tmp_path, ranks=1, send=None) -> list[int]:
    def work(rank):
        run_tool(lambda: train(cfg, rank, ranks, send, tmp_path))

    return run_forked(work, ranks, tmp_path / 'errors')


def plain_cfg(root, work_dir, resume=False, num_workers=0):
    cfg = tiny_runner_cfg('tsf', root, work_dir, 6, num_workers, resume=resume)
    cfg.default_hooks.checkpoint.interval = 4
    return cfg


def with_rounds(root, work_dir, resume=False):
    cfg = rounds_cfg(root, work_dir)
    cfg.resume = resume
    return cfg


CONFIGS = dict(plain=plain_cfg, rounds=with_rounds)


@pytest.fixture(scope='module')
def whole(data_root, tmp_path_factory) -> dict[str, dict]:
    """Last checkpoints of runs that no signal meets."""
    found = {}
    for name, make in CONFIGS.items():
        folder = tmp_path_factory.mktemp(name)
        assert statuses(make(data_root, folder / 'run'), folder) == [0]
        found[name] = load_checkpoint(folder / 'run/iter_6.pth')
    return found


def assert_ends_like(checkpoint: dict, whole: dict) -> None:
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_equal(checkpoint[part], whole[part], part)


@pytest.mark.parametrize('kind', CONFIGS)
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_goes_on_as_if_nothing_had_been(kind, number, whole, data_root, tmp_path):
    work_dir, make = tmp_path / 'run', CONFIGS[kind]
    assert statuses(make(data_root, work_dir), tmp_path, send=Send(2, number)) == [128 + number]
    said = (tmp_path / 'errors').read_text()
    assert 'Traceback' not in said
    name = signal.Signals(number).name
    assert f'{name}: the training stops after the next iteration' in said
    assert (work_dir / 'last_checkpoint').read_text() == f'{work_dir}/iter_3.pth'
    assert load_checkpoint(work_dir / 'iter_3.pth')['meta']['iter'] == 3
    assert statuses(make(data_root, work_dir, True), tmp_path) == [0]
    assert_ends_like(load_checkpoint(work_dir / 'iter_6.pth'), whole[kind])


def test_workers_that_get_the_signal_too_serve_the_iteration(whole, data_root, tmp_path):
    """As most schedulers send it; the next step's samples are already asked for."""
    cfg = plain_cfg(data_root, tmp_path / 'run', num_workers=2)
    send = Send(2, signal.SIGTERM, group=True)
    assert statuses(cfg, tmp_path, send=send) == [143]
    assert 'Traceback' not in (tmp_path / 'errors').read_text()
    cfg = plain_cfg(data_root, tmp_path / 'run', True)
    assert statuses(cfg, tmp_path) == [0]
    assert_ends_like(load_checkpoint(tmp_path / 'run/iter_6.pth'), whole['plain'])


def test_two_ranks_stop_after_the_same_iteration(data_root, tmp_path):
    ends = {}
    for name, send in dict(whole=None, run=Send(2, signal.SIGTERM)).items():
        cfg = plain_cfg(data_root, tmp_path / name)
        (tmp_path / name).mkdir()
        expected = [0, 0] if send is None else [143, 143]
        assert statuses(cfg, tmp_path / name, 2, send) == expected
    assert load_checkpoint(tmp_path / 'run/iter_3.pth')['meta']['iter'] == 3
    assert statuses(plain_cfg(data_root, tmp_path / 'run', True), tmp_path / 'run', 2) == [0, 0]
    for name in ('whole', 'run'):
        ends[name] = load_checkpoint(tmp_path / name / 'iter_6.pth')
    assert_ends_like(ends['run'], ends['whole'])


def test_only_the_checkpoint_of_the_last_stop_is_kept(whole, data_root, tmp_path):
    work_dir = tmp_path / 'run'
    for resume, iteration in ((False, 0), (True, 1), (True, 3), (True, 4)):
        cfg = plain_cfg(data_root, work_dir, resume)
        assert statuses(cfg, tmp_path, send=Send(iteration, signal.SIGTERM)) == [143]
    names = sorted(path.name for path in work_dir.glob('*.pth'))
    assert names == ['iter_4.pth', 'iter_5.pth']  # 4 is one of the interval
    assert statuses(plain_cfg(data_root, work_dir, True), tmp_path) == [0]
    assert_ends_like(load_checkpoint(work_dir / 'iter_6.pth'), whole['plain'])


def test_the_last_iteration_and_a_second_signal(data_root, tmp_path):
    cfg = plain_cfg(data_root, tmp_path / 'end')
    assert statuses(cfg, tmp_path, send=Send(5, signal.SIGTERM)) == [0]  # it has ended anyway
    cfg = plain_cfg(data_root, tmp_path / 'run')
    send = Send(2, signal.SIGTERM, signal.SIGTERM)
    assert statuses(cfg, tmp_path, send=send) == [-signal.SIGTERM]
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_signals_of_a_program_that_uses_the_package_are_left_alone(data_root, tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    class Look(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            seen.append([signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)])

    seen: list = []
    for context in (None, stopping_gracefully):
        runner = make_runner(tiny_runner_cfg('supervised', data_root, tmp_path, 1))
        runner.register_hook(Look())
        if context is None:
            runner.train()
            continue
        with context():
            runner.train()
    assert seen[0] == before and seen[1] != before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_rank_that_hangs_meets_the_timeout_of_the_config(data_root, tmp_path):
    class Hang(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            time.sleep(60)

    def work(rank):
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
        os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29631')
        cfg = plain_cfg(data_root, tmp_path / 'run')
        cfg.launcher, cfg.env_cfg = 'pytorch', dict(dist_cfg=dict(backend='nccl', timeout=3))
        start_cpu_process_group(cfg)
        runner = make_runner(cfg)
        if rank:
            runner.register_hook(Hang())
            signal.alarm(12)
        runner.train()

    began = time.monotonic()
    first, second = run_forked(work, 2, tmp_path / 'errors')
    assert first == 1 and second != 0
    assert 'imed out' in (tmp_path / 'errors').read_text()
    assert 3 < time.monotonic() - began < 40


def test_train_tool_is_stopped_by_a_signal(data_root, tmp_path):
    cfg = plain_cfg(data_root, tmp_path / 'run')
    cfg.update(custom_imports=dict(imports=['helpers'], allow_failed_imports=False))
    cfg.train_cfg.max_iters = cfg.param_scheduler[0].end = 100000
    cfg.dump(tmp_path / 'tiny.py')
    path = os.pathsep.join([str(ROOT / 'tests/support'), os.environ.get('PYTHONPATH', '')])
    command = [sys.executable, 'tools/train.py', str(tmp_path / 'tiny.py')]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / 'run/iter_4.pth').exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 143, said
    assert 'Traceback' not in said and 'SIGTERM: the training stops after' in said
    last = Path((tmp_path / 'run/last_checkpoint').read_text())
    assert load_checkpoint(last)['meta']['iter'] >= 4


def test_workers_do_not_outlive_the_program():
    """Those of a persistent loader are alive when the interpreter ends, which waits for them."""
    program = (
        'import torch\n'
        'from mmseg_tsf.utils.stopping import stopping_gracefully, worker_init\n'
        'with stopping_gracefully():\n'
        '    loader = torch.utils.data.DataLoader(\n'
        '        list(range(64)), num_workers=2, persistent_workers=True,\n'
        '        worker_init_fn=worker_init())\n'
        '    batches = iter(loader)\n'
        '    next(batches)\n'
        'kept = {"batches": batches, "cycle": None}\n'
        'kept["cycle"] = kept\n'
        'loader.kept = kept\n'
    )
    ended = subprocess.run([sys.executable, '-c', program], timeout=60, capture_output=True)
    assert ended.returncode == 0, ended.stderr
