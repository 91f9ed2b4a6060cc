"""Says how far a run of active learning has come, what it has spent, and what it waits for.

    python tools/active_learning/status.py work_dirs/<run>
    python tools/active_learning/status.py work_dirs/<run> --json

Reads ``rounds/`` and ``active_learning.jsonl`` of the run's folder and changes nothing, so it can
be called while the run is on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

with contextlib.redirect_stdout(sys.stderr):  # what MMSeg says on import is no JSON
    from mmseg_tsf.active_learning import Budget, RoundStore, spent
    from mmseg_tsf.active_learning.round_log import RoundLog
    from mmseg_tsf.utils import run_tool


AMOUNTS = ('images', 'pixels', 'regions', 'clicks')


def summarise(work_dir: Path) -> dict:
    """Everything that the tool says, ready for JSON.

    Raises:
        StoreError: The folder holds no campaign, or a damaged one.
    """
    store = RoundStore(work_dir / 'rounds')
    campaign, lines = store.campaign(), RoundLog(work_dir / 'active_learning.jsonl').read()
    budget, paid = Budget(**campaign['budget']), spent(store, campaign['initial'])
    rounds = [describe_round(store, number) for number in store.numbers()]
    return dict(
        rounds_planned=campaign['rounds'],
        rounds_answered=len(store.answered()),
        unit=budget.unit,
        initial=campaign['initial'],
        spent=paid,
        total=budget.amount(budget.total, campaign['available']),
        left=budget.left(paid, campaign['available']),
        available=campaign['available'],
        classes=class_pixels(campaign['classes'], rounds),
        rounds=rounds,
        # by round; the last line is what counts where a round was held again
        plar={line['round']: line['plar'] for line in lines if line.get('plar')},
        waits_for=waits_for(work_dir, campaign, rounds, lines),
    )


def describe_round(store: RoundStore, number: int) -> dict:
    """Sums of one round; what is not answered is asked, but not paid."""
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
        written=(answer or request).info['written'],
    )


def class_pixels(classes: list[str], rounds: list[dict]) -> dict[str, int]:
    """Pixels of each class among the bought labels."""
    counts = [r['classes'] for r in rounds if r['classes']]
    totals = [sum(column) for column in zip(*counts, strict=True)] or [0] * len(classes)
    return dict(zip(classes, totals, strict=True))


def waits_for(work_dir: Path, campaign: dict, rounds: list[dict], lines: list[dict]) -> str:
    """One sentence on what comes next."""
    states = [line['state'] for line in lines if 'state' in line]
    if rounds and rounds[-1]['state'] == 'asked':
        number = rounds[-1]['round']
        readme = work_dir / 'annotation' / f'round_{number:03d}' / 'README.txt'
        where = f': do what {readme} says, then resume' if readme.exists() else ''
        return f'the answer of round {number} by {campaign["oracle"]}{where}'
    if 'finished' in states:
        return 'nothing, training is finished'
    if 'exhausted' in states:
        return 'the end of training: nothing is left to ask or to spend'
    if len(rounds) >= campaign['rounds']:
        return 'the end of training: every round is answered'
    return f'training up to round {len(rounds)}: resume it, if it is not running'


def show(summary: dict, console: Console) -> None:
    """Prints the summary as tables."""
    unit, total = summary['unit'], summary['total']
    console.print(
        f'{summary["rounds_answered"]} of {summary["rounds_planned"]} rounds answered; '
        f'{_share(summary["spent"][unit], summary)} of {_share(total, summary)} {unit} spent, '
        f'{_share(summary["left"], summary)} left',
        soft_wrap=True,
    )
    console.print(f'waits for {summary["waits_for"]}', soft_wrap=True)
    table = Table('', 'asked by', 'answered by', *AMOUNTS)
    _add_row(table, ['initial', '', '', *_amounts(summary['initial'])])
    for r in summary['rounds']:
        who = r['who'] or 'nobody yet'
        _add_row(table, [f'round {r["round"]}', r['strategy'], who, *_amounts(r)])
    _add_row(table, ['in all', '', '', *_amounts(summary['spent'])])
    console.print(table)
    for number, free in summary['plar'].items():
        text = ', '.join(f'{name} {value}' for name, value in free.items())
        console.print(f'refined for free before round {number}: {text}', soft_wrap=True)
    bought = sum(summary['classes'].values())
    table = Table('class', 'pixels bought', 'share')
    for name, pixels in summary['classes'].items():
        _add_row(table, [name, f'{pixels:,}', f'{100 * pixels / max(1, bought):.2f} %'])
    console.print(table)


def _add_row(table: Table, cells: Iterable[object]) -> None:
    table.add_row(*map(str, cells))


def _amounts(row: dict) -> list[str]:
    return [f'{row[name]:,}' for name in AMOUNTS]


def _share(amount: int, summary: dict) -> str:
    everything = summary['available'].get(summary['unit'])
    return f'{amount:,}' + (f' ({100 * amount / everything:.2f} %)' if everything else '')


def main(argv: list[str] | None = None) -> dict:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('work_dir', type=Path, help='folder of the run')
    parser.add_argument('--json', action='store_true', help='for programs')
    args = parser.parse_args(argv)
    summary = summarise(args.work_dir)
    if args.json:
        print(json.dumps(summary, indent=2))
    else:
        show(summary, Console())
    return summary


if __name__ == '__main__':
    run_tool(main)
