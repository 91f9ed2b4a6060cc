"""Broken arguments and files end in a result or in one sentence, whatever the tool."""

import fuzz
import pytest

FAST = [name for name in fuzz.CALLS if name not in fuzz.SLOW]


def test_no_tool_ends_in_a_traceback(tmp_path):
    assert fuzz.fuzz(tmp_path, seed=5, seconds=8, calls=60, names=FAST) == []


def test_the_fuzzer_notices_tracebacks_and_hangs(tmp_path, monkeypatch):
    class Tool:
        main = staticmethod(lambda: {}['x'])

    monkeypatch.setattr(fuzz, 'load_tool', lambda name: Tool)
    assert 'KeyError' in fuzz.call('a.py', [], tmp_path)
    monkeypatch.setattr(fuzz, 'LIMIT', 1)
    Tool.main = staticmethod(lambda: [None for _ in iter(int, 1)])
    assert 'hangs' in fuzz.call('a.py', [], tmp_path)
    Tool.main = staticmethod(lambda: (tmp_path / 'none/x').touch())
    assert fuzz.call('a.py', [], tmp_path) == ''
    Tool.main = staticmethod(lambda: print(1))
    assert fuzz.call('a.py', [], tmp_path) == ''


@pytest.mark.parametrize('name', fuzz.CALLS)
def test_every_call_is_of_a_tool(name):
    assert (fuzz.ROOT / 'tools' / name).is_file()
