"""Trainings in processes of their own, as many at a time as the machine allows."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...utils.errors import UserError

WAITING, RUNNING, DONE, FAILED = 'waiting', 'running', 'done', 'failed'
THREADS = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS')
POLL = 0.2
"""Seconds between looks at the processes."""


def nothing() -> None:
    """What most jobs do before they start."""


@dataclass
class Job:
    """A command that is run once.

    Attributes:
        name: Name in messages.
        command: Program and arguments.
        output: File that receives what it says.
        is_done: Function that says whether its result is there.
        prepare: Function that is called before the command is started.
        needs: Job whose result must be there first.
        state: One of :data:`WAITING`, :data:`RUNNING`, :data:`DONE` and :data:`FAILED`.
        reason: Why it failed.
    """

    name: str
    command: Sequence[str]
    output: Path
    is_done: Callable[[], bool]
    prepare: Callable[[], None] = nothing
    needs: Job | None = None
    state: str = WAITING
    reason: str = ''


def start_process(job: Job, threads: int) -> subprocess.Popen:
    """Starts the command of a job with a number of threads; its output is appended."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
    job.output.parent.mkdir(parents=True, exist_ok=True)
    with open(job.output, 'ab') as file:
        return subprocess.Popen(
            job.command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment
        )


def run_jobs(
    jobs: Sequence[Job], processes: int, threads: int, say: Callable[[str], None] = print
) -> list[Job]:
    """Runs jobs side by side; a job that fails does not keep the others from running.

    The processes end with this one, unless it is killed by SIGKILL.

    Args:
        jobs: Jobs in the order in which they start, if what they need is done.
        processes: Largest number of processes at a time.
        threads: Number of threads of each process.
        say: Function that receives messages on the progress.

    Returns:
        list[Job]: Jobs that failed.
    """
    running: dict[int, object] = {}
    began: dict[int, float] = {}
    handler = signal.signal(signal.SIGTERM, _leave)
    try:
        while any(job.state in (WAITING, RUNNING) for job in jobs):
            for i, process in list(running.items()):
                if process.poll() is not None:
                    _end(jobs[i], process.poll(), time.monotonic() - began[i], say)
                    del running[i]
            for i, job in enumerate(jobs):
                if _is_ready(job, say) and len(running) < processes:
                    say(f'started: {job.name}')
                    began[i], job.state = time.monotonic(), RUNNING
                    job.prepare()
                    running[i] = start_process(job, threads)
            time.sleep(POLL)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
        signal.signal(signal.SIGTERM, handler)
    return [job for job in jobs if job.state == FAILED]


def _is_ready(job: Job, say: Callable[[str], None]) -> bool:
    """Whether a job may start; it fails where what it needs has failed."""
    if job.state == WAITING and job.needs is not None and job.needs.state == FAILED:
        _fail(job, f'it needs this: {job.needs.name}', say)
    return job.state == WAITING and (job.needs is None or job.needs.state == DONE)


def _end(job: Job, status: int, seconds: float, say: Callable[[str], None]) -> None:
    """Notes how a job ended, and says it."""
    if status or not job.is_done():
        ended = f'exit status {status}' if status else 'it stopped before its end'
        _fail(job, f'{ended}, see {job.output}', say)
        return
    job.state = DONE
    say(f'done in {seconds / 60:.1f} min: {job.name}')


def _fail(job: Job, reason: str, say: Callable[[str], None]) -> None:
    job.state, job.reason = FAILED, reason
    say(f'failed: {job.name}: {reason}')


def _leave(number: int, frame: object) -> None:
    raise UserError('the grid was ended by SIGTERM: start the same command again to go on')
