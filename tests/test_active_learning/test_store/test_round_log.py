"""The lines of a round's log."""

from mmseg_tsf.active_learning.store.round_log import RoundLog


def line(number: int, iteration: int, **seconds: float) -> dict:
    return dict(round=number, iter=iteration, seconds=seconds)


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
