"""Processes of a grid: how many at a time, in which order, and how they end."""

import os
import signal
import sys
import time

import pytest

from mmseg_tsf.engine.grid.jobs import DONE, FAILED, Job, run_jobs
from mmseg_tsf.utils.processes import run_forked


@pytest.fixture
def make(tmp_path):
    """Makes a job that runs a line of Python."""

    def job(name, code='', done=True, **options):
        command = [sys.executable, '-S', '-c', code]
        return Job(name, command, tmp_path / f'{name}/out.txt', lambda: done, **options)

    return job


def test_what_a_process_says_is_kept_and_its_threads_are_set(make):
    code = "import os, sys; print(os.environ['OMP_NUM_THREADS']); print('oh', file=sys.stderr)"
    job = make('a', code)
    assert run_jobs([job], 1, threads=3) == [] and job.state == DONE
    assert sorted(job.output.read_text().split()) == ['3', 'oh']
    run_jobs([make('a', code)], 1, threads=2)
    assert sorted(job.output.read_text().split()) == ['2', '3', 'oh', 'oh']


def test_a_failure_stops_only_what_needs_it(make):
    said = []
    bad = make('bad', 'raise SystemExit(3)')
    orphan = make('orphan', needs=bad)
    grandchild = make('grandchild', needs=orphan)
    short, fine = make('short', done=False), make('fine')
    jobs = [orphan, grandchild, bad, short, fine]
    assert run_jobs(jobs, 2, 1, said.append) == [orphan, grandchild, bad, short]
    assert bad.reason == f'exit status 3, see {bad.output}'
    assert short.reason == f'it stopped before its end, see {short.output}'
    assert (orphan.reason, grandchild.state) == ('it needs this: bad', FAILED)
    assert 'started: orphan' not in said and not orphan.output.exists()
    assert fine.state == DONE


def test_a_job_is_prepared_when_what_it_needs_is_done(make, tmp_path):
    order = []
    first = make('first', f"open({str(tmp_path / 'made')!r}, 'w')")
    later = [
        make(f'later_{i}', needs=first, prepare=lambda: order.append((tmp_path / 'made').exists()))
        for i in range(2)
    ]
    assert run_jobs([*later, first], 3, 1) == [] and order == [True, True]


def test_no_more_processes_than_allowed(make, tmp_path):
    code = (
        'import os, time; open(os.path.join({0!r}, str({1})), "w"); '
        'print(len(os.listdir({0!r}))); time.sleep(0.3); os.remove(os.path.join({0!r}, str({1})))'
    )
    (tmp_path / 'running').mkdir()
    jobs = [make(f'j{i}', code.format(str(tmp_path / 'running'), i)) for i in range(4)]
    assert run_jobs(jobs, 2, 1) == []
    assert max(int(job.output.read_text()) for job in jobs) <= 2


def test_processes_end_with_the_grid(make, tmp_path):
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); "
    job = make('long', code + 'time.sleep(60)')

    def end_soon(number, frame):
        if (tmp_path / 'pid').exists() and (tmp_path / 'pid').read_text():
            os.kill(os.getpid(), signal.SIGTERM)

    def grid(_):
        signal.signal(signal.SIGALRM, end_soon)
        signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
        run_jobs([job], 1, 1)

    began = time.monotonic()
    assert run_forked(grid, stderr=tmp_path / 'err') == [1]
    assert time.monotonic() - began < 30
    assert 'the grid was ended by SIGTERM' in (tmp_path / 'err').read_text()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / 'pid').read_text()), 0)
