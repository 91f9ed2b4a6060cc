"""Writes compared runs of active learning as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..evaluation.paired import CONFIDENCE, LOSS, OPEN, WIN
from ..utils.markdown import table_lines
from .drawing.budget_plot import short_names
from .results_tables import list_lines

NOTHING = '–'
TITLES = dict(final='last mIoU', aubc='AUBC')
LABELS = {
    'mIoU': 'mIoU of labels',
    'accuracy': 'accuracy',
    'mIoU.unasked': 'mIoU, unasked',
    'accuracy.unasked': 'accuracy, unasked',
    'mIoU.unrefined': 'mIoU, unrefined',
    'asked': 'asked',
    'dropped': 'dropped',
}
"""Columns of the table of labels by the figures of ``label_quality.measure_pool_labels``."""
REFINED = {
    'before.mIoU': 'mIoU, before',
    'after.mIoU': 'after',
    'before.accuracy': 'accuracy, before',
    'after.accuracy': 'after',
    'iter': 'iteration',
}
"""Columns of the table of what ``PLARHook`` logged last."""
HEAD = f"""# Comparison of query strategies

mIoU in percent of the network that predicts by default, validated before each query and at the
end; mean ± sample deviation over seeds. AUBC is the area under the curve of mIoU against what was
spent, divided by the range of spend. A difference is the mean over the seeds that both have, with
Student's t interval of {100 * CONFIDENCE:g} %; it counts as won (\\*) or lost where the interval
excludes 0. Intervals are not corrected for the number of pairs. {NOTHING}: not measured, or fewer
than two seeds."""
PLAR_NOTE = (
    'Pseudo-labels that the training logged last, manually labelled pixels left out; percent:'
)


def to_markdown(groups: Sequence[dict], unfinished: Sequence[Path] = ()) -> str:
    """Markdown of ``compare.md``.

    Args:
        groups: See :func:`~mmseg_tsf.reporting.comparison.compare_strategies`.
        unfinished: Folders of runs that are left out.
    """
    parts = [HEAD, '']
    if len(groups) > 1:
        parts += _overall(groups)
    for group in groups:
        parts += _group(group)
    if unfinished:
        parts += ['## Unfinished runs, left out', '', *(f'- `{path}`' for path in unfinished), '']
    return '\n'.join(parts)


def title_of(group: dict) -> str:
    """What the names of a group's configs share, e.g. ``r18-d8, 1xb4-250, steel_1p-3p``."""
    names = [row['name'] for row in group['methods']]
    return short_names(names)[1] or names[0]


def _group(group: dict) -> list[str]:
    rows = group['methods']
    names = short_names([row['name'] for row in rows])[0]
    if len(names) == 1:  # nothing to tell it from
        names = [_strategy(rows[0]['name'])]
    short = {row['name']: name for row, name in zip(rows, names, strict=True)}
    sections = [
        _curves(rows, names, group['settings']['axis']),
        _pairs(group, short),
        _wins(group['wins'], short),
        _labels(rows, names, 'labels', LABELS, _labels_note(rows)),
        _labels(rows, names, 'pseudo_labels', REFINED, PLAR_NOTE),
        _costs(rows, names),
        _origins(rows, names),
    ]
    found = [f'## {title_of(group)}', '', *_settings(group['settings']), '']
    for section in sections:
        found += section
    return found


def _settings(settings: dict) -> list[str]:
    """What the runs of a group agree in, as a list."""
    budget = settings['budget']
    unit, total = budget['unit'], budget['total']
    amount = f'{100 * total:g} % of all {unit}' if isinstance(total, float) else f'{total} {unit}'
    batch = settings['batch_size'] * settings['world_size']
    return [
        *list_lines(settings['lists'] or {}),
        f'- at most {amount}, the initial labels included, in {settings["rounds"]} rounds',
        f'- {settings["max_iters"]} iterations of {batch} labelled images, rounds after '
        f'{", ".join(map(str, settings["boundaries"] or []))}, '
        + ('every stage trained anew' if settings['start'] == 'fresh' else 'one training'),
    ]


def _curves(rows: list[dict], names: list[str], axis: str) -> list[str]:
    numbers = range(len(rows[0]['curve']))
    spends = [_mean([row['curve'][i]['spend'] for row in rows]) for i in numbers]
    columns = ['strategy', 'seeds', *(f'{spend:.4g}' for spend in spends), 'last mIoU', 'AUBC']
    body = [
        [
            name,
            ', '.join(map(str, sorted(row['seeds']))),
            *(_text(point) for point in row['curve']),
            _text(row['final']),
            _text(row['aubc']),
        ]
        for row, name in zip(rows, names, strict=True)
    ]
    note = f'mIoU by what was spent before it was measured (mean over the strategies, {axis}):'
    return [note, '', *table_lines(columns, body), '']


def _pairs(group: dict, short: dict[str, str]) -> list[str]:
    if len(short) < 2:
        return []
    body = []
    for final, aubc in zip(group['pairs']['final'], group['pairs']['aubc'], strict=True):
        name = f'{short[final["first"]]} − {short[final["second"]]}'
        body.append([name, str(len(final['seeds'])), _difference(final), _difference(aubc)])
    table = table_lines(['difference', 'seeds', *TITLES.values()], body)
    return ['Differences, paired by seed:', '', *table, '']


def _wins(wins: dict[str, dict[str, dict]], names: dict[str, str]) -> list[str]:
    """Table of won, lost and open comparisons by measure; empty where nothing is compared.

    Args:
        wins: See ``count_wins``, by measure.
        names: Shown name of each method.
    """
    if not any(wins.values()):
        return []
    body = [
        [shown, *(_count(own[name]) if name in own else NOTHING for own in wins.values())]
        for name, shown in names.items()
    ]
    table = table_lines(['strategy', *(TITLES[measure] for measure in wins)], body)
    return ['Comparisons with the others, won / lost / open:', '', *table, '']


def _overall(groups: Sequence[dict]) -> list[str]:
    """Wins over all groups by strategy, the first part of a config's name."""
    wins: dict[str, dict[str, dict]] = {}
    for group in groups:
        for measure, own in group['wins'].items():
            for name, counts in own.items():
                total = wins.setdefault(measure, {})
                total = total.setdefault(_strategy(name), dict.fromkeys(counts, 0))
                for verdict, number in counts.items():
                    total[verdict] += number
    names = dict.fromkeys(_strategy(row['name']) for g in groups for row in g['methods'])
    table = _wins(wins, {name: name for name in names})
    return [f'## All {len(groups)} groups', '', *table] if table else []


def _labels_note(rows: list[dict]) -> str:
    images = next((row['labels']['images']['mean'] for row in rows if row['labels']), 0)
    return (
        f'Labels of the {images:.0f} images of the pool at the end, against masks that serve this '
        'measurement alone: what was asked, and elsewhere what the last checkpoint believes; '
        'percent:'
    )


def _labels(
    rows: list[dict], names: list[str], key: str, columns: dict[str, str], note: str
) -> list[str]:
    if not any(row[key] for row in rows):
        return []
    shown = [name for name in columns if any(name in row[key] for row in rows)]
    body = [
        [name, *(_text(row[key].get(column)) for column in shown)]
        for row, name in zip(rows, names, strict=True)
    ]
    return [note, '', *table_lines(['strategy', *(columns[own] for own in shown)], body), '']


def _costs(rows: list[dict], names: list[str]) -> list[str]:
    body = [
        [
            name,
            *(f'{own["mean"]:,.0f}' for own in row['spent'].values()),
            NOTHING if row['query_seconds'] is None else f'{row["query_seconds"]:.1f}',
        ]
        for row, name in zip(rows, names, strict=True)
    ]
    table = table_lines(['strategy', *rows[0]['spent'], 'seconds of a query'], body)
    note = 'Spent in the end, the initial labels included (their clicks are not known); means:'
    return [note, '', *table, '']


def _origins(rows: list[dict], names: list[str]) -> list[str]:
    columns = ['strategy', 'config', 'settings', 'iterations', 'shared first stage']
    columns += ['device', 'threads', 'commit']
    body = [
        [
            name,
            f'`{row["config"]}`',
            row['settings'] or NOTHING,
            _list(row['iters']),
            f'{row["shared"]} of {len(row["seeds"])} seeds',
            _list(row['devices']),
            _list(row['threads']),
            _list(row['commits']),
        ]
        for row, name in zip(rows, names, strict=True)
    ]
    return ['Where the figures come from:', '', *table_lines(columns, body), '']


def _strategy(name: str) -> str:
    return name.split('_')[0]


def _count(counts: dict[str, int]) -> str:
    return ' / '.join(str(counts[verdict]) for verdict in (WIN, LOSS, OPEN))


def _difference(pair: dict) -> str:
    if pair['low'] is None:
        return NOTHING if pair['mean'] is None else f'{pair["mean"]:+.2f} ({NOTHING})'
    mark = '' if pair['verdict'] == OPEN else ' *'
    return f'{pair["mean"]:+.2f} ({pair["low"]:+.2f} to {pair["high"]:+.2f}){mark}'


def _text(value: dict | None) -> str:
    if not value or value['mean'] != value['mean']:  # NaN is not measured
        return NOTHING
    return f'{value["mean"]:.2f}' + ('' if value['sd'] is None else f' ± {value["sd"]:.2f}')


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _list(values: Iterable[object]) -> str:
    return ', '.join(map(str, values))
