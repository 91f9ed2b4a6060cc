"""Damaged exports end in values or one clear error; an hour of it is import_fuzzer.py's."""

import os
import signal
import time
from collections import Counter

import import_fuzzer
import pytest
from import_fuzzer import Fuzzer, fuzz
from import_samples import make_request, sample_exports

from mmseg_tsf.active_learning.exchange.request import read_request


@pytest.fixture(scope='module')
def fuzzer(tmp_path_factory) -> Fuzzer:
    root = tmp_path_factory.mktemp('fuzz')
    request = make_request(root)
    return Fuzzer(request, sample_exports(read_request(request), root / 'samples'), seed=0)


def test_undamaged_samples_are_read(fuzzer, tmp_path, monkeypatch):
    monkeypatch.setattr(import_fuzzer, 'mutate', lambda files, rng: dict(files))
    monkeypatch.setattr(import_fuzzer, 'pack', whole)
    read = Counter(fuzzer.run(case, tmp_path / str(case)) for case in range(20))
    assert read == dict(read=20)


def whole(files, path, rng):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def test_some_seconds_of_damages_have_no_fault(fuzzer, tmp_path):
    ends = fuzz(fuzzer, tmp_path, seconds=4)
    assert set(ends) == {'read', 'refused'}, ends
    assert ends['read'] > 10 and ends['refused'] > 10


def test_every_kind_of_fault_is_noticed(fuzzer, tmp_path, monkeypatch):
    """Otherwise no fault would mean nothing."""

    def misbehave(arguments):
        taken.append(arguments)
        case = len(taken) % 4
        if case == 0:
            raise KeyError('x')
        if case == 1:
            time.sleep(60)
        if case == 2:
            bytearray(6 << 30)
        os.kill(os.getpid(), signal.SIGSEGV)

    taken: list = []
    monkeypatch.setattr(fuzzer, 'take', misbehave)
    monkeypatch.setattr(import_fuzzer, 'LIMIT_SECONDS', 1)
    monkeypatch.setattr(import_fuzzer.faulthandler, 'enable', lambda: None)
    ends = fuzz(fuzzer, tmp_path, seconds=1.5)
    text = '\n'.join(ends)
    for fault in ('TimeoutError at', 'MemoryError at', 'the process ended with -11 in case'):
        assert fault in text
