"""Runs of active learning in processes of their own, and what is done to their disks."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from helpers import REFINED, model_cfg
from mmengine.config import Config
from tiny_runs import active_learning_cfg, make_runner
from tool_loader import load_tool

from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.files import is_leftover
from mmseg_tsf.utils.processes import run_forked

tool = load_tool('benchmark/kill_resume.py')
needs_cpu = pytest.mark.skipif(
    torch.cuda.is_available(), reason='processes are forked: start this with CUDA_VISIBLE_DEVICES='
)


def rounds_cfg(root: Path, work_dir: Path, **options) -> Config:
    """Two rounds by PLAR; validates nothing, since with two ranks that leaves files behind."""
    defaults = dict(
        model=model_cfg('mt', **REFINED),
        pool=dict(pipeline=[dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]),
        query=dict(type='PLARQuery'),
        first_query=dict(type='SeedQuery', threshold=0.99),
    )
    cfg = active_learning_cfg('mt', root, work_dir, **{**defaults, **options})
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    return cfg


def end_of(work: Callable[[], object], errors: Path) -> tuple[int, str]:
    """Exit status of a tool in a process of its own, and what it says on stderr.

    Args:
        work: The tool's entry point.
        errors: A file for that.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def work_within_limits():
        try:
            work()
        finally:  # what is said may be written, see LimitedFiles
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    errors.unlink(missing_ok=True)
    (status,) = run_forked(lambda _: run_tool(work_within_limits), stderr=errors)
    return status, errors.read_text()


def train(cfg: Config, errors: Path) -> tuple[int, str]:
    """:func:`end_of` a run."""
    return end_of(lambda: make_runner(cfg).train(), errors)


def assert_refused(end: tuple[int, str], *parts: str) -> None:
    """Exit status 2, no traceback, and one sentence at the end in which all parts stand."""
    status, said = end
    assert status == 2, said
    assert 'Traceback' not in said
    sentence = said.strip().splitlines()[-1]
    assert sentence.startswith('error: ') and said.count('error: ') == 1
    for part in parts:
        assert part in sentence


def snapshot(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


class SmallDisk:
    """A file system of a few megabytes.

    Args:
        path: Where it is mounted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Leaves no room for a single page."""
        with open(self.path / 'filler', 'wb', buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 16)):
                pass

    def free(self) -> None:
        """Makes room again."""
        (self.path / 'filler').unlink()


class LimitedFiles(SmallDisk):
    """A folder in which, from some moment on, a process cannot write a byte into any file."""

    def fill(self) -> None:
        """See the base class."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    def free(self) -> None:
        """See the base class."""


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[SmallDisk]:
    """Mounts a :class:`SmallDisk`; skips the test where that is not allowed."""
    path.mkdir()
    mount('-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', str(path))
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(['umount', path], check=True)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Takes away the right to write to a folder, from root by a mount."""
    if os.geteuid():
        folder.chmod(0o555)
        undo = ['chmod', '755', folder]
    else:
        mount('--bind', str(folder), str(folder))
        undo = ['umount', folder]
    try:
        if not os.geteuid():
            subprocess.run(['mount', '-o', 'remount,bind,ro', folder], check=True)
        yield
    finally:
        subprocess.run(undo, check=True)


def mount(*options: str) -> None:
    """Mounts something, or skips the test."""
    try:
        done = subprocess.run(['mount', *options], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip('there is no mount')
    if done.returncode:
        pytest.skip(f'nothing can be mounted here: {done.stderr.strip()}')


class FatalMoments(tool.Moments):
    """Kills the process at one of the moments of a kind."""

    def __init__(self, kind: str, which: int) -> None:
        super().__init__()
        self.kind, self.left = kind, which

    def pass_by(self, kind: str) -> None:
        """See the base class."""
        self.left -= kind == self.kind
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def kill(cfg: Config, kind: str, which: int) -> None:
    """Starts a run and kills it at its moment ``which`` of a kind, counted from 0."""
    assert tool.run(cfg, [FatalMoments(kind, which)], os.devnull) == [-signal.SIGKILL]


def assert_goes_on(cfg: Config, whole: dict, log: Path, steps: int | None = None) -> None:
    """Resumes a run, which must end as one to which nothing has happened.

    Args:
        cfg: Of the run.
        whole: Outcome of the other one.
        log: A file for its moments.
        steps: How many iterations it must have taken.
    """
    cfg.resume = True
    assert tool.run(cfg, [tool.Moments(log)]) == [0]
    work_dir = Path(cfg.work_dir)
    assert tool.differences(whole, tool.outcome(work_dir)) == []
    assert not any(is_leftover(path) for path in work_dir.rglob('*'))
    assert steps in (None, log.read_text().split('\n').count('before a step'))
