"""Bars for terminals, lines for logs, silence for the rest."""

import io
import sys
import time

import pytest

from mmseg_tsf.utils import progress
from mmseg_tsf.utils.progress import in_words, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def sit_at_a_terminal(monkeypatch) -> Terminal:
    """Call it in the test itself: pytest puts its own stderr in place after the fixtures."""
    screen = Terminal()
    monkeypatch.setattr(sys, 'stderr', screen)
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '100')
    return screen


def test_a_terminal_shows_a_bar_with_the_time_left(monkeypatch):
    terminal = sit_at_a_terminal(monkeypatch)
    items = track((time.sleep(0.15) or i for i in range(4)), 'Reading', total=4)
    assert list(items) == [0, 1, 2, 3]
    shown = terminal.getvalue()
    assert 'Reading' in shown and '4/4' in shown and '0:00:0' in shown


def test_elsewhere_it_is_silent(capsys):
    assert list(track([1, 2], 'Reading')) == [1, 2]
    assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize('reason', ['no rich', 'another rank', 'empty'])
def test_there_is_no_bar_without_terminal_or_rich(reason, monkeypatch):
    terminal = sit_at_a_terminal(monkeypatch)
    if reason == 'no rich':
        monkeypatch.setitem(sys.modules, 'rich', None)
    if reason == 'another rank':
        monkeypatch.setattr(progress, 'is_main_process', lambda: False)
    items = [] if reason == 'empty' else [1, 2]
    assert list(track(items, 'Reading')) == items
    assert terminal.getvalue() == ''


def test_a_log_gets_a_line_from_time_to_time(monkeypatch):
    now, said = [100.0], []
    monkeypatch.setattr(progress.time, 'perf_counter', lambda: now[0])
    for _ in track(range(10), 'Scoring', say=said.append, every=5.0):
        now[0] += 2.0
    # after 6, 12 and 18 s, and none for the last
    assert said == [
        'Scoring: 3 of 10, about 14 s left',
        'Scoring: 6 of 10, about 8.0 s left',
        'Scoring: 9 of 10, about 2.0 s left',
    ]


def test_other_ranks_are_silent(monkeypatch):
    monkeypatch.setattr(progress, 'is_main_process', lambda: False)
    said = []
    assert list(track(range(3), 'Scoring', say=said.append, every=0.0)) == [0, 1, 2]
    assert said == []


def test_an_abandoned_loop_is_closed(monkeypatch):
    sit_at_a_terminal(monkeypatch)
    items = track(iter(range(9)), 'Reading', total=9)
    assert next(items) == 0
    items.close()
    assert list(track(range(2), 'Again')) == [0, 1]  # one bar at a time


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0.04, '0.0 s'),
        (9.94, '9.9 s'),
        (42, '42 s'),
        (99.4, '99 s'),
        (100, '2 min'),
        (5400, '90 min'),
        (7500, '2 h 05 min'),
    ],
)
def test_durations_in_words(seconds, text):
    assert in_words(seconds) == text
