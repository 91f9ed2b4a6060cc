"""Exit statuses of forked processes, and memory that is used again."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mmseg_tsf.utils import processes
from mmseg_tsf.utils.processes import keep_freed_memory, run_forked


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


SCRIPT = """
import ctypes, importlib.util, resource, sys
spec = importlib.util.spec_from_file_location('processes', sys.argv[1])
processes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(processes)
if sys.argv[2] == 'keep':
    assert processes.keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def use():
    block = libc.malloc(50 << 20)
    libc.memset(block, 1, 50 << 20)
    libc.free(block)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc only')
def test_freed_memory_is_used_again():
    path = sys.modules[keep_freed_memory.__module__].__file__
    faults = {
        mode: int(subprocess.check_output([sys.executable, '-c', SCRIPT, path, mode]))
        for mode in ('leave', 'keep')
    }
    assert faults['keep'] < 0.05 * faults['leave']
