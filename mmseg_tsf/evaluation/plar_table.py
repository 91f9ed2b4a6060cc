"""What PLAR makes of pseudo-labels, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from ..utils.markdown import table_lines

DECIDED = 'decided'
"""Name of a rule's confidence, on the pixels that it decided, in ``PseudoLabelQuality``."""
CALIBRATION = f'{DECIDED}.calibration_error'


def plar_table(rows: list[dict], head: dict) -> str:
    """Gains, mIoU and calibration errors by setting and share, three tables for each layout."""
    parts = [
        f'`{Path(head["config"]).name}`, `{Path(head["checkpoint"]).name}`; {head["images"]} '
        f'unlabelled images, seed {head["seed"]} of what is labelled, commit {head["commit"]}. '
        f'{how_flagged(head)} '
        'Points of accuracy inside the error mask, on the pixels that nobody was asked about, by '
        'the share of the feature cells that has a manual label; the mIoU of the labels, inside '
        'the mask and outside; and the expected calibration error, in percent, of what a rule '
        'says of the labels that it decides.'
    ]
    for layout in dict.fromkeys(row['layout'] for row in rows):
        by_name: dict[str, list[dict]] = {}
        for row in sorted(rows, key=lambda row: row['share']):
            if row['layout'] == layout:
                by_name.setdefault(row['setting'], []).append(row)
        first = next(iter(by_name.values()))
        sure = {name: own for name, own in by_name.items() if CALIBRATION in own[0]}
        tables = {
            '': [line('flagged, %', first, 'flagged', percent)]
            + [line('right before, %', first, 'before.accuracy.inside', percent)]
            + [line(name, own, 'gain', '{:+.1f}'.format) for name, own in by_name.items()],
            'mIoU, ': [line('before', first, 'before.mIoU', percent)]
            + [line(name, own, 'after.mIoU', percent) for name, own in by_name.items()],
            'calibration error, ': [
                line(name, own, CALIBRATION, percent) for name, own in sure.items()
            ],
        }
        for title, body in tables.items():
            shares = (f'{100 * row["share"]:g} %' for row in first)
            parts += ['', *table_lines([f'{title}manual {layout}', *shares], body)] if body else []
    return '\n'.join(parts) + '\n'


def how_flagged(head: dict) -> str:
    """The error mask in a sentence."""
    emd = 'what the EMD doubts, or ' if head['emd'] else ''
    return f'Flagged: {emd}a confidence below {head["min_confidence"]}.'


def line(title: str, rows: list[dict], key: str, text: Callable[[float], str]) -> list[str]:
    """Cells of a table: one figure for each share."""
    return [title, *(text(row[key]) for row in rows)]


def percent(value: float) -> str:
    """With one decimal; a dash for NaN."""
    return '–' if math.isnan(value) else f'{value:.1f}'
