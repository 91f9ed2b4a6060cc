"""Prints the progress of an active-learning run, its spending, and what it waits for.

    python tools/active_learning/status.py work_dirs/<run>
    python tools/active_learning/status.py work_dirs/<run> --json

Reads ``rounds/`` and ``active_learning.jsonl`` in the folder of the run and changes nothing, so it
can be called during the run. The budget is that of the last start or resume.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

with contextlib.redirect_stdout(sys.stderr):  # MMSeg prints on import, which is not JSON
    from mmseg_tsf.active_learning import RoundStore, StoreError, verify
    from mmseg_tsf.active_learning.campaign.summary import AMOUNTS, summarise
    from mmseg_tsf.utils.cli import ToolParser, run_tool


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
        who = (r['who'] or 'nobody yet') + f', {r["amended"]} amended' * bool(r['amended'])
        _add_row(table, [f'round {r["round"]}', r['strategy'], who, *_amounts(r)])
    _add_row(table, ['in all', '', '', *_amounts(summary['spent'])])
    console.print(table)
    for number, notes in summary['notes'].items():
        text = ', '.join(f'{name} {value}' for name, value in notes.items())
        console.print(f'notes of the query of round {number}: {text}', soft_wrap=True)
    for r in summary['rounds']:
        if r['state'] == 'asked':
            text = f'{r["pixels_asked"]:,} pixels in {r["images_asked"]:,} images'
            console.print(f'round {r["round"]} asks {text}; nothing of it is paid yet')
    bought = sum(r['pixels'] for r in summary['rounds'])
    void = bought - sum(summary['classes'].values())
    table = Table('class', 'pixels bought', 'share')
    for name, pixels in {**summary['classes'], '(no label)': void}.items():
        _add_row(table, [name, f'{pixels:,}', f'{100 * pixels / max(1, bought):.2f} %'])
    console.print(table)


def summarise_or_list(work_dir: Path) -> dict:
    """The summary of a run; prints every problem of its rounds where one prevents a summary.

    Raises:
        StoreError: The rounds are missing or damaged.
    """
    try:
        return summarise(work_dir)
    except StoreError as error:
        store = RoundStore(work_dir / 'rounds')
        for problem in verify(store) if store.numbers() else ():
            if problem != str(error):
                print(problem, file=sys.stderr)
        raise


def _add_row(table: Table, cells: Iterable[object]) -> None:
    table.add_row(*map(str, cells))


def _amounts(row: dict) -> list[str]:
    return [f'{row[name]:,}' for name in AMOUNTS]


def _share(amount: int, summary: dict) -> str:
    everything = summary['available'].get(summary['unit'])
    return f'{amount:,}' + (f' ({100 * amount / everything:.2f} %)' if everything else '')


def main(argv: list[str] | None = None) -> dict:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.share('work_dir')
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')
    args = parser.parse_args(argv)
    summary = summarise_or_list(args.work_dir)
    if args.json:
        print(json.dumps(summary, indent=2))
    else:
        show(summary, Console())
    return summary


if __name__ == '__main__':
    run_tool(main)
