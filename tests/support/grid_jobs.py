"""Jobs of a grid in forks of the test's process, which need not import anything again."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from fault_runs import FatalMoments
from mmengine.config import Config
from tiny_runs import PlainConfig, active_learning_cfg
from tool_loader import ROOT, load_tool

from mmseg_tsf.engine.grid.jobs import Job
from mmseg_tsf.utils.cli import run_tool

ITERS = 6


def write_config(folder: Path, data_root: Path, name: str, query: str, **loop) -> Path:
    """Writes the config of a tiny supervised run with two rounds; returns its path."""
    cfg = active_learning_cfg(
        'supervised', data_root, folder, max_iters=ITERS, query=dict(type=query), **loop
    )
    for key in ('work_dir', 'experiment_name', 'randomness'):
        cfg.pop(key)
    path = folder / f'{name}.py'
    cfg.dump(path)
    return path


class ForkedTool:
    """Has the methods of ``subprocess.Popen`` that a grid uses.

    Args:
        job: Its command starts a tool of this project.
        kill: Number of the training step before which the process is killed; ``None`` for none.
    """

    def __init__(self, job: Job, kill: int | None = None) -> None:
        fork = multiprocessing.get_context('fork')
        self.process = fork.Process(target=_work, args=(job, kill))
        self.process.start()

    def poll(self) -> int | None:
        """Exit status, minus the number of a signal; ``None`` while it runs."""
        return self.process.exitcode

    def terminate(self) -> None:
        """Ends the process."""
        self.process.terminate()

    def wait(self) -> None:
        """Waits for its end."""
        self.process.join()


def forked(kills: dict[str, int] | None = None) -> Callable[[Job, int], ForkedTool]:
    """Replacement of ``jobs.start_process``.

    Args:
        kills: Steps before which jobs are killed, by the names of the jobs.
    """
    return lambda job, threads: ForkedTool(job, (kills or {}).get(job.name))


def _work(job: Job, kill: int | None) -> None:
    job.output.parent.mkdir(parents=True, exist_ok=True)
    with open(job.output, 'ab') as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    sys.stdout = open(1, 'w', closefd=False)  # noqa: SIM115
    sys.stderr = open(2, 'w', closefd=False)  # noqa: SIM115
    tool = load_tool(os.path.relpath(job.command[1], ROOT / 'tools'))
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch('mmengine.runner.runner.collect_env', return_value={}))
        stack.enter_context(mock.patch.object(Config, 'pretty_text', PlainConfig.pretty_text))
        if kill is not None:
            stack.enter_context(FatalMoments('before a step', kill).watch())
        try:
            run_tool(lambda: tool.main(list(job.command[2:])))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
