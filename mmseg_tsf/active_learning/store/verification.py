"""Checks of a store: missing, foreign, altered or exchanged files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...utils.checkpoint_files import damaged_checkpoints
from ...utils.files import StoreError, is_leftover
from .records import RoundRecord
from .round_log import RoundLog
from .round_store import AMENDMENTS, CAMPAIGN, LABELS, RoundStore


def check_rounds(store: RoundStore) -> None:
    """Checks every request and answer before a run reads them.

    Raises:
        StoreError: A file is missing, altered or exchanged.
    """
    numbers, problems = store.numbers(), []
    for number in numbers:
        for read in (store.request, store.answer)[: 1 + (store.state(number) == 'answered')]:
            problems += _caught(lambda read=read, n=number: read(n).sealed.damage())
    for number in range(len(numbers)):
        for find in (request_problem, answer_problem):
            problems += _caught(lambda find=find, n=number: list(filter(None, [find(store, n)])))
    problems += _caught(lambda: [p for own in store.amendments() for p in own.sealed.damage()])
    problems += _caught(lambda: amendment_problems(store))
    if problems:
        first, *more = dict.fromkeys(problems)
        remedy = 'restore it from a copy, then resume'
        remedy = '' if 'restore' in first else f'{"; " if ": " in first else ": "}{remedy}'
        others = (
            f' ({len(more)} more are listed by tools/active_learning/verify.py)' if more else ''
        )
        raise StoreError(f'{first}{remedy}{others}')


def check_answers(store: RoundStore) -> None:
    """Checks that every answer is there that the log of the run records.

    Raises:
        StoreError: One is missing, which would be asked and paid for again.
    """
    for problem in missing_answers(store):
        raise StoreError(f'{problem}; restore the round from a copy, then resume')


def verify(store: RoundStore) -> list[str]:
    """Every problem of a store, one sentence each; an empty list for an intact one.

    Args:
        store: Store that no run is writing to. Files that a killed run left half written beside
            the rounds are no problem: the next run removes them.
    """
    store = RoundStore(store.root)  # reads the manifests anew
    problems = _caught(store.campaign)
    numbers = store.numbers()
    problems += [
        f'{store.folder(n)} is missing' for n in range(max(numbers, default=-1)) if n not in numbers
    ]
    for number in numbers:
        problems += _verify_round(store, number)
    problems += _verify_amendments(store)
    problems += _caught(store.label_problems)
    problems += _caught(lambda: missing_answers(store))
    problems += damaged_checkpoints(store.root.parent)
    known = {CAMPAIGN, '.lock', LABELS, AMENDMENTS, *(store.folder(n).name for n in numbers)}
    problems += _foreign(store.root, known)
    return list(dict.fromkeys(problems))  # an unreadable file is met more than once


def request_problem(store: RoundStore, number: int) -> str:
    """Why a request does not follow from the answer before it; empty if it does.

    Raises:
        StoreError: One of them cannot be read.
    """
    if store.state(number) == 'empty':
        return f'{store.folder(number)}/request is missing'
    if not number:
        return ''
    if store.state(number - 1) != 'answered':
        return f'{store.folder(number - 1)}/answer is missing'
    return _link_problem(store.request(number), store.answer(number - 1), number)


def answer_problem(store: RoundStore, number: int) -> str:
    """Why an answer does not fit its request; empty if it does or if there is no answer.

    Raises:
        StoreError: One of them cannot be read.
    """
    if store.state(number) != 'answered':
        return ''
    answer, request = store.answer(number), store.request(number)
    fits = answer.sizes.items() <= request.sizes.items()
    return _link_problem(answer, request, number if fits else -1)


def amendment_problems(store: RoundStore) -> list[str]:
    """Amendments that do not follow from their answers and from each other, and lost ones.

    Raises:
        StoreError: A record cannot be read.
    """
    found, amendments, answered = [], store.amendments(), store.answered()
    links = [None, *(own.digest for own in amendments)]
    for place, own in enumerate(amendments):
        answer = store.answer(own.number) if own.number in answered else None
        fits = answer is not None and own.sizes.items() <= answer.sizes.items()
        linked = own.info['answer'] == getattr(answer, 'digest', None)
        in_order = (own.info['amendment'], own.info['previous']) == (place, links[place])
        if not (fits and linked and in_order):
            found.append(
                f'{own.sealed.path} does not follow from round {own.number} and the amendment '
                'before it: one was exchanged or is missing'
            )
    for number in store.numbers():
        if store.request(number).info.get('amendment') not in links:
            path = store.request(number).sealed.path
            found.append(f'{store.root / AMENDMENTS} lacks an amendment that {path} was based on')
    return found


def _verify_amendments(store: RoundStore) -> list[str]:
    known = {'.lock', *(path.name for path in store.amendment_folders())}
    problems = _caught(lambda: [p for own in store.amendments() for p in own.sealed.problems()])
    problems += _caught(lambda: amendment_problems(store))
    return problems + _foreign(store.root / AMENDMENTS, known)


def _link_problem(record: RoundRecord, previous: RoundRecord, number: int) -> str:
    if record.number == number and record.follows(previous):
        return ''
    return f'{record.sealed.path} does not belong to {previous.sealed.path}: one was exchanged'


def missing_answers(store: RoundStore) -> list[str]:
    """Answers that the log of the run mentions: nothing else refers to the newest one.

    Raises:
        StoreError: The log is damaged.
    """
    log, answered = RoundLog(store.root.parent / 'active_learning.jsonl'), set(store.answered())
    logged = {line.get('round') for line in log.read() if line.get('state') == 'answered'}
    return [
        f'{store.folder(n)}/answer is missing: {log.path} records it'
        for n in sorted(n for n in logged - answered if type(n) is int)
    ]


def _verify_round(store: RoundStore, number: int) -> list[str]:
    folder = store.folder(number)
    if not (folder / 'request').is_dir():
        return [f'{folder}/request is missing']
    problems = _caught(lambda: store.request(number).sealed.problems())
    problems += [] if problems else _unreadable(store.request(number).mask, store, number)
    if store.state(number) == 'answered':
        found = _caught(lambda: store.answer(number).sealed.problems())
        problems += found or _unreadable(store.answer(number).labels, store, number)
    for find in (request_problem, answer_problem):
        problems += _caught(lambda find=find: list(filter(None, [find(store, number)])))
    return problems + _foreign(folder, {'request', 'answer'})


def _unreadable(read: Callable[[str], object], store: RoundStore, number: int) -> list[str]:
    """Pictures with the right digest that are no picture, or not of the size of their image."""
    record = read.__self__
    return [p for image_id in record.images for p in _caught(lambda i=image_id: read(i))]


def _foreign(folder: Path, known: set[str]) -> list[str]:
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    links = [f'{p} is a link' for p in found if p.name in known and p.is_symlink()]
    foreign = [f'{p} is foreign' for p in found if p.name not in known and not is_leftover(p)]
    return links + foreign


def _caught(find: Callable[[], object]) -> list[str]:
    """Problems that a function returns or raises."""
    try:
        found = find()
    except StoreError as error:
        return [str(error)]
    return found if isinstance(found, list) else []
