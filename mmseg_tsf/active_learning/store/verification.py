"""Looks at every file of a store and names what is missing, foreign or altered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...utils.files import StoreError, is_leftover
from .round_log import RoundLog
from .round_store import CAMPAIGN, RoundStore


def verify(store: RoundStore) -> list[str]:
    """Everything that is wrong with a store, one sentence each; empty if nothing is.

    Args:
        store: On a folder that no run is writing to. What a killed run left half written beside
            the rounds is no problem: the next one clears it away.
    """
    store = RoundStore(store.root)  # the manifests as they are now
    problems = _caught(store.campaign)
    numbers = store.numbers()
    problems += [
        f'{store.root}/round_{n:03d} is missing'
        for n in range(max(numbers, default=-1))
        if n not in numbers
    ]
    for number in numbers:
        problems += _verify_round(store, number)
    for folder in sorted(store.root.glob('labels/*')):
        problems += _verify_labels(store, folder)
    problems += _caught(lambda: _verify_log(store, set(store.answered())))
    known = {CAMPAIGN, '.lock', 'labels', *(f'round_{n:03d}' for n in numbers)}
    problems += _foreign(store.root, known)
    return list(dict.fromkeys(problems))  # what can not be read is met more than once


def _verify_log(store: RoundStore, answered: set[int]) -> list[str]:
    """What the run wrote down of its rounds: nothing else points at the newest one."""
    log = RoundLog(store.root.parent / 'active_learning.jsonl')
    said = {line['round'] for line in log.read() if line['state'] == 'answered'}
    return [
        f'{store.root}/round_{n:03d}/answer is missing: {log.path} says that it was there'
        for n in sorted(said - answered)
    ]


def _verify_round(store: RoundStore, number: int) -> list[str]:
    folder = store.root / f'round_{number:03d}'
    if not (folder / 'request').is_dir():
        return [f'{folder}/request is missing']
    problems = _caught(lambda: store.request(number).sealed.problems())
    if store.state(number) == 'answered':
        problems += _caught(lambda: store.answer(number).sealed.problems())
    for look in (store.request_problem, store.answer_problem):
        problems += _caught(lambda look=look: [problem] if (problem := look(number)) else [])
    return problems + _foreign(folder, {'request', 'answer'})


def _verify_labels(store: RoundStore, folder: Path) -> list[str]:
    number = folder.name.removeprefix('round_')
    if is_leftover(folder):
        return []
    if not (number.isdigit() and int(number) in store.answered()):
        return [f'{folder} is foreign']
    return _caught(lambda: store.label_problems(int(number)))


def _foreign(folder: Path, known: set[str]) -> list[str]:
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [f'{p} is foreign' for p in found if p.name not in known and not is_leftover(p)]


def _caught(look: Callable[[], object]) -> list[str]:
    try:
        found = look()
    except StoreError as error:
        return [str(error)]
    return found if isinstance(found, list) else []
