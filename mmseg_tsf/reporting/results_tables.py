"""Writes grouped results as Markdown tables and into MMSegmentation's metafiles."""

from __future__ import annotations

from pathlib import Path

import yaml

from ..evaluation.paired import OPEN, paired_difference
from ..utils.markdown import table_lines
from .results import QUALITY

NOTHING = '–'
SEEDS = 3  # that two methods need in common to be compared


def to_markdown(groups: list[dict]) -> str:
    """Markdown of all groups.

    Args:
        groups: See :func:`~mmseg_tsf.reporting.results.group_results`.
    """
    return '\n'.join(_group_to_markdown(group) for group in groups)


def network_names(rows: list[dict]) -> list[str]:
    """Networks of all rows in the order of their own method; the one with most networks leads."""
    by_number = sorted(rows, key=lambda row: -len(row['networks']))
    return list(dict.fromkeys(name for row in by_number for name in row['networks']))


def _group_to_markdown(group: dict) -> str:
    lines = [
        f'## {"_".join(group["setting"].split("_")[-2:])}',
        '',
        f'Configs `*_{group["setting"]}.py`. mIoU in percent on the test images, measured with the '
        'last checkpoint; mean ± sample deviation over seeds. Gains are means over paired seeds, '
        'with the 95 % interval where there are two seeds or more.',
        '',
        *list_lines(group['lists']),
        f'- {group["max_iters"]} iterations of {group["batch"]} labelled images on '
        f'{group["device"]}',
        '',
        *_scores(group['rows']),
        '',
    ]
    rows = group['rows']
    return '\n'.join([*lines, *_differences(rows), *_classes(rows), *_pseudo_labels(rows)])


def list_lines(lists: dict[str, dict]) -> list[str]:
    """Split lists by branch, as the lines of a list: number of images, file and digest."""
    return [
        f'- {branch}: {part["images"]} images, `{part["ann_file"]}` (sha256 {part["sha256"]})'
        for branch, part in lists.items()
    ]


def _scores(rows: list[dict]) -> list[str]:
    networks = network_names(rows)
    columns = ['method', 'seeds', *(f'{name} mIoU' for name in networks), 'gain', 's / step']
    columns += ['peak MiB', 'threads', 'commit']
    body = [_cells(row, networks) for row in rows]
    if any(row['spent'] is not None for row in rows):
        columns.insert(2, 'labelled pixels, %')
        for cells, row in zip(body, rows, strict=True):
            cells.insert(2, _text(row['spent']))
    return table_lines(columns, body)


def _cells(row: dict, networks: list[str]) -> list[str]:
    cells = [f'[{row["method"]}](../{row["config"]})', ', '.join(map(str, row['seeds']))]
    for name in networks:
        value = row['networks'].get(name)
        sd = f' ± {value["sd"]:.2f}' if value and value['sd'] is not None else ''
        cells.append(_text(value and value['mean']) + sd)
    cells.append(_interval(row['gain']))
    for key, form in (('step_time', '.3f'), ('peak_memory_mib', '')):
        cells.append(NOTHING if row[key] is None else format(row[key], form))
    return [*cells, ', '.join(map(str, row['torch_threads'])), ', '.join(row['commits'])]


def _interval(difference: dict) -> str:
    """Mean difference with half the width of its interval, if seeds allow one."""
    if difference['mean'] is None:
        return NOTHING
    text = f'{difference["mean"]:+.2f}'
    if difference['low'] is None:
        return text
    text += f' ± {(difference["high"] - difference["low"]) / 2:.2f}'
    return text if difference['verdict'] == OPEN else f'**{text}**'


def _differences(rows: list[dict]) -> list[str]:
    """Differences of every two methods with at least :data:`SEEDS` seeds in common."""
    shown = [row for row in rows if len(row['scores']) >= SEEDS]
    if len(shown) < 2:
        return []
    body = [
        [row['method']]
        + [
            NOTHING
            if row is other
            else _interval(paired_difference(row['scores'], other['scores']))
            for other in shown
        ]
        for row in shown
    ]
    return [
        'Method of the row minus method of the column, paired by seeds, with the 95 % interval of '
        "the mean (Student's t, not corrected for the number of comparisons); bold where it "
        'excludes 0:',
        '',
        *table_lines(['', *(row['method'] for row in shown)], body),
        '',
    ]


def _classes(rows: list[dict]) -> list[str]:
    shown = [row for row in rows if row['per_class']]
    classes = list(dict.fromkeys(name for row in shown for name in row['per_class']))
    if not classes:
        return []
    body = [[name, *(_text(row['per_class'].get(name)) for row in shown)] for name in classes]
    table = table_lines(['class', *(row['method'] for row in shown)], body)
    return [
        'IoU of each class, measured with the network that predicts by default:',
        '',
        *table,
        '',
    ]


def _pseudo_labels(rows: list[dict]) -> list[str]:
    body = [
        [row['method'], str(own['iter']), *(_text(own.get(key)) for key in QUALITY)]
        for row in rows
        for own in row['pseudo_labels']
    ]
    if not body:
        return []
    return [
        'Quality of pseudo-labels of unlabelled images in percent, measured with masks that are '
        'used for evaluation only; manually labelled pixels are left out:',
        '',
        *table_lines(['method', 'iteration', *QUALITY.values()], body),
        '',
    ]


def read_row_names(index: Path) -> dict[str, str]:
    """Display names of the rows by the first part of a config's name, in their order.

    They stand as ``Rows`` in the metafile of each config folder.

    Args:
        index: Path of ``model-index.yml``, which lists the metafiles.
    """
    names: dict[str, str] = {}
    for path in yaml.safe_load(index.read_text())['Import']:
        for collection in yaml.safe_load((index.parent / path).read_text())['Collections']:
            names.update(collection['Metadata'].get('Rows', {}))
    return names


def update_metafiles(groups: list[dict], paths: list[str]) -> list[str]:
    """Writes ``Results`` of every model in MMSegmentation metafiles.

    ``Results`` of a model without a row become empty.

    Args:
        groups: See :func:`~mmseg_tsf.reporting.results.group_results`.
        paths: Paths of the metafiles.

    Returns:
        list[str]: Paths of the files that changed.
    """
    found: dict[str, list[dict]] = {}
    for group in groups:
        for row in group['rows']:
            found.setdefault(row['config'], []).append(row)
    changed = []
    for path in paths:
        with open(path) as file:
            old = file.read()
        meta = yaml.safe_load(old)
        for model in meta['Models']:
            model['Results'] = [
                {
                    'Task': 'Semantic Segmentation',
                    'Dataset': model['Metadata']['Training Data'],
                    'Metrics': {'mIoU': row['miou']},
                }
                for row in found.get(model['Config'], [])
            ]
        new = yaml.safe_dump(meta, sort_keys=False, width=100)
        if new != old:
            with open(path, 'w') as file:
                file.write(new)
            changed.append(path)
    return changed


def _text(value: float | None) -> str:
    return NOTHING if value is None or value != value else f'{value:.2f}'  # NaN is not measured
