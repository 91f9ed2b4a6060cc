"""Summary of an active-learning campaign: its rounds, its spending and its next step."""

from __future__ import annotations

from pathlib import Path

from ..store.round_log import FINISHED, RoundLog
from ..store.round_store import RoundStore
from .budget import Budget, spent

AMOUNTS = ('images', 'pixels', 'regions', 'clicks')


def summarise(work_dir: Path, store: RoundStore | None = None) -> dict:
    """Summary of a campaign for the status tool and the report, ready for JSON.

    Args:
        work_dir: Folder of the run.
        store: Store of its rounds if it is already open.

    Raises:
        StoreError: If the folder holds no campaign, or a damaged one.
    """
    store = store or RoundStore(work_dir / 'rounds')
    campaign, lines = store.campaign(), RoundLog(work_dir / 'active_learning.jsonl').read()
    budget, paid = Budget(**campaign['budget']), spent(store, campaign['initial'])
    left = budget.left(paid, campaign['available'])
    rounds = [describe_round(store, number) for number in store.numbers()]
    return dict(
        rounds_planned=campaign['rounds'],
        rounds_answered=len(store.answered()),
        unit=budget.unit,
        initial=campaign['initial'],
        spent=paid,
        total=budget.amount(budget.total, campaign['available']),
        left=left,
        available=campaign['available'],
        classes=class_pixels(campaign['classes'], rounds),
        rounds=rounds,
        # by round; the last line is what counts where a round was held again
        notes={line['round']: line['notes'] for line in lines if line.get('notes')},
        finished=is_finished(lines),
        waits_for=waits_for(work_dir, campaign, rounds, lines, left),
    )


def describe_round(store: RoundStore, number: int) -> dict:
    """Totals of one round; only answered images count as paid."""
    request, state = store.request(number), store.state(number)
    answer = store.answer(number) if state == 'answered' else None
    paid = [request.images[image_id] for image_id in (answer.images if answer else ())]
    counts = [notes['classes'] for notes in (answer.images.values() if answer else ())]
    return dict(
        round=number,
        state=state,
        strategy=request.info.get('strategy'),
        images_asked=len(request.images),
        pixels_asked=sum(notes['pixels'] for notes in request.images.values()),
        images=len(paid),
        **{unit: sum(notes[unit] for notes in paid) for unit in ('pixels', 'regions', 'clicks')},
        classes=[sum(column) for column in zip(*counts, strict=True)],
        who=answer.info.get('who') if answer else None,
        amended=len(answer.amended) if answer else 0,
        written=(answer or request).info['written'],
    )


def is_finished(lines: list[dict]) -> bool:
    """Whether the log says that the run has finished."""
    return bool(lines) and lines[-1].get('state') == FINISHED


def class_pixels(classes: list[str], rounds: list[dict]) -> dict[str, int]:
    """Number of answered pixels of each class."""
    counts = [r['classes'] for r in rounds if r['classes']]
    totals = [sum(column) for column in zip(*counts, strict=True)] or [0] * len(classes)
    return dict(zip(classes, totals, strict=True))


def waits_for(
    work_dir: Path, campaign: dict, rounds: list[dict], lines: list[dict], left: int
) -> str:
    """What the campaign waits for, as the end of a sentence."""
    if is_finished(lines):
        return 'nothing, training is finished'
    if rounds and rounds[-1]['state'] == 'asked':
        number, folder = rounds[-1]['round'], campaign['annotation_dir']
        where = ''
        if folder is not None:
            readme = work_dir / folder / f'round_{number:03d}' / 'README.txt'
            where = f': follow {readme}, then resume' if readme.exists() else ''
        return f'the answer of round {number} by {campaign["oracle"]}{where}'
    if len(rounds) >= campaign['rounds']:
        return 'the end of training: every round is answered'
    if not left:
        return 'the end of training: the budget is spent'
    return f'training up to round {len(rounds)}: resume it, if it is not running'
