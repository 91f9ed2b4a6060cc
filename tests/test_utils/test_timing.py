"""Turns, ratios and the output of benchmarks."""

import json

from mmseg_tsf.utils.timing import ratio, show_result, take_turns


def test_functions_take_turns_and_the_first_turn_does_not_count():
    calls = []
    runs = {name: lambda name=name: calls.append(name) for name in 'ab'}
    times = take_turns(runs, 2)
    assert calls == ['a', 'b'] * 3
    assert [len(values) for values in times.values()] == [2, 2]
    assert min(times['a'] + times['b']) >= 0


def test_ratio_is_the_median_within_turns():
    assert ratio([2.0, 30.0, 4.0], [1.0, 10.0, 4.0]) == 2.0


def test_a_result_is_printed_and_written(tmp_path, capsys):
    path = tmp_path / 'out.json'
    assert show_result(dict(a=1), str(path)) == dict(a=1)
    assert json.loads(path.read_text()) == json.loads(capsys.readouterr().out) == dict(a=1)
