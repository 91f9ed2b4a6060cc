"""The lines of a round's log."""

import pytest

from mmseg_tsf.active_learning.store.round_log import RoundLog
from mmseg_tsf.utils import files
from mmseg_tsf.utils.errors import StoreError


def line(number: int, iteration: int, **seconds: float) -> dict:
    return dict(round=number, iter=iteration, state='answered', seconds=seconds)


def test_lines_stand_in_the_order_of_the_training(tmp_path):
    log = RoundLog(tmp_path / 'log.jsonl')
    assert log.read() == []
    for own in (line(1, 20), line(0, 10), line(2, 20)):
        log.write(own)
    assert [(own['round'], own['iter']) for own in log.read()] == [(0, 10), (1, 20), (2, 20)]


def test_a_round_that_is_held_again_keeps_what_was_not_done_again(tmp_path):
    log = RoundLog(tmp_path / 'log.jsonl')
    log.write(line(0, 10, train=60.0, validate=5.0, score=7.0))
    log.write(line(0, 10, train=0.1, validate=6.0, oracle=2.0))
    assert log.read() == [line(0, 10, validate=6.0, score=7.0, oracle=2.0, train=60.0)]


@pytest.mark.parametrize(
    'broken', [b'{"round": 1, "it', b'\0\0\0', b'\xff\xfe', b'null', b'[1]', b'{"round": "1"}']
)
def test_lines_that_are_whole_are_kept_and_the_damaged_file_is_kept_aside(
    tmp_path, monkeypatch, broken
):
    said = []
    monkeypatch.setattr(files, 'print_log', lambda text, *_: said.append(text))
    log = RoundLog(tmp_path / 'log.jsonl')
    log.write(line(0, 10))
    log.write(line(1, 20))
    content = log.path.read_bytes().replace(b'\n', b'\n' + broken + b'\n', 1)
    log.path.write_bytes(content)
    with pytest.raises(StoreError, match='line 2 of .*log.jsonl cannot be read: delete'):
        log.read()
    log.mend()
    assert log.read() == [line(0, 10), line(1, 20)]
    assert (tmp_path / 'log.jsonl.damaged').read_bytes() == content
    assert 'line 2 of ' in said[0] and 'is kept as log.jsonl.damaged' in said[0]
    log.mend()
    log.path.write_bytes(content)
    log.mend()
    names = ['log.jsonl', 'log.jsonl.damaged', 'log.jsonl.damaged_2']
    assert sorted(path.name for path in tmp_path.iterdir()) == names
