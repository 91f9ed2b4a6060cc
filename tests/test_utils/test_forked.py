"""Processes that end well, badly or not by themselves."""

import os
import signal
import sys
import time

import pytest

from mmseg_tsf.utils import processes
from mmseg_tsf.utils.processes import run_forked


def test_statuses_are_those_of_the_processes_in_their_order(tmp_path, capfd):
    def work(number):
        if number == 1:
            raise KeyError('one')
        if number == 2:
            sys.exit(2)
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    assert run_forked(work, 4, tmp_path / 'errors') == [0, 1, 2, -signal.SIGKILL]
    assert (tmp_path / 'errors').read_text().endswith("KeyError: 'one'\n")
    assert capfd.readouterr().err == ''


def test_who_waits_for_one_that_has_died_is_ended(monkeypatch):
    monkeypatch.setattr(processes, 'PATIENCE', 0.1)
    assert run_forked(lambda number: sys.exit(3) if number else time.sleep(60), 2) == [-9, 3]


def test_nobody_is_left_behind(tmp_path):
    """Neither running nor as a zombie."""
    run_forked(lambda number: (tmp_path / str(os.getpid())).touch(), 2)
    processes = [int(path.name) for path in tmp_path.iterdir()]
    assert len(processes) == 2
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
