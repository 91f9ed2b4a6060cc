"""What is freed is used again, without the kernel clearing it anew."""

import subprocess
import sys

import pytest

from mmseg_tsf.utils.processes import keep_freed_memory

SCRIPT = """
import ctypes, importlib.util, resource, sys
spec = importlib.util.spec_from_file_location('memory', sys.argv[1])
memory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(memory)
if sys.argv[2] == 'keep':
    assert memory.keep_freed_memory()
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
