"""Groups the records of finished runs into comparable rows; see ``tools/results_table.py``."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

from ..evaluation.paired import paired_difference
from .run_reader import main_network, score_key

QUALITY = {
    'flagged': 'flagged',
    'errors_inside': 'errors flagged',
    'before.accuracy.inside': 'accuracy of flagged, before',
    'after.accuracy.inside': 'after',
    'before.accuracy': 'accuracy, before',
    'after.accuracy': 'after',
    'before.mIoU': 'mIoU, before',
    'after.mIoU': 'after',
    'after.dropped': 'dropped',
    'emd.AP': 'AP, EMD',
    'confidence.AP': 'AP, confidence',
    'confidence<0.7.AP': 'AP, < 0.7',
    'confidence<0.8.AP': 'AP, < 0.8',
    'confidence<0.9.AP': 'AP, < 0.9',
}
"""Columns of the pseudo-label table by the names that ``PLARHook`` logs; all in percent."""
BASELINE = 'supervised'
"""First part of the config's name of the runs that gains are measured against."""
ASKED = re.compile(r'_(\d+)p-(\d+)p-')
"""Percent of initial labels and percent asked for in rounds, in the name of a config."""


def group_results(records: list[dict], names: dict[str, str]) -> list[dict]:
    """Groups runs by data, labelled list, network, length, batch size and device.

    Training without rounds is shown beside the campaign that begins with the same labels and asks
    for the fewest (``..._15p-128x128`` in the group of ``..._15p-9p-128x128``).

    Args:
        records: Runs from :func:`~mmseg_tsf.reporting.run_reader.read_finished`.
        names: Display names by the first part of a config's name, in the order of the rows, see
            :func:`~mmseg_tsf.reporting.results_tables.read_row_names`. Other configs follow under
            that first part.

    Returns:
        list[dict]: Groups ready for JSON: the settings that their runs share, and ``rows``.
    """
    groups: dict[tuple, dict[tuple, list[dict]]] = {}
    order = {method: index for index, method in enumerate(names)}
    settings = (_stem(r).partition('_')[2] for r in records if r.get('spent') is not None)
    asked = {setting: int(found[2]) for setting in settings if (found := ASKED.search(setting))}
    by_amount = sorted(asked, key=asked.get, reverse=True)  # the smallest overwrites the others
    beside = {ASKED.sub(r'_\1p-', setting): setting for setting in by_amount}
    for record in records:
        method, _, setting = _stem(record).partition('_')
        setting = beside.get(setting, setting)
        batch = record['batch_size'] * record['world_size']
        labelled = record['lists']['labelled']['sha256']
        key = (setting, labelled, record['max_iters'], batch, record['device'])
        row = (order.get(method, len(order)), method, record['config'], record['recipe'] or '')
        groups.setdefault(key, {}).setdefault(row, []).append(record)
    return [_group(key, rows, names) for key, rows in sorted(groups.items(), key=str)]


def _group(key: tuple, rows: dict[tuple, list[dict]], names: dict[str, str]) -> dict:
    setting, _, max_iters, batch, device = key
    methods = [row[1] for row in sorted(rows)]
    ordered = [rows[row] for row in sorted(rows)]
    out = [
        dict(method=names.get(method, method), **_row(runs))
        for method, runs in zip(methods, ordered, strict=True)
    ]
    for i, row in enumerate(out):  # one config trained with several settings
        if sum(other['config'] == row['config'] for other in out) > 1:
            out[i] = dict(row, method=f'{row["method"]} [{row["recipe"]}]')
    supervised = [i for i, method in enumerate(methods) if method == BASELINE]
    for i, row in enumerate(out):
        has_base = len(supervised) == 1 and i not in supervised
        base = out[supervised[0]]['scores'] if has_base else {}
        row['gain'] = paired_difference(row['scores'], base)
    lists = {}
    for runs in ordered:
        lists.update(runs[0]['lists'])
    return dict(
        setting=setting, lists=lists, max_iters=max_iters, batch=batch, device=device, rows=out
    )


def _row(runs: list[dict]) -> dict:
    first = runs[0]
    networks = {name: _mean_sd(runs, f'{name}/mIoU') for name in first['networks']}
    times = [run['step_time'] for run in runs if run['step_time'] is not None]
    memory = [run['peak_memory_mib'] for run in runs if run.get('peak_memory_mib') is not None]
    main = main_network(first)
    return dict(
        config=first['config'],
        recipe=first['recipe'],
        seeds=sorted(run['seed'] for run in runs),
        scores={run['seed']: run['metrics'][score_key(run)] for run in runs},
        networks=networks,
        miou=networks[main]['mean'],
        spent=_mean([run['spent'] for run in runs if run.get('spent') is not None]),
        per_class=_per_class(runs, main),
        pseudo_labels=_quality(runs),
        step_time=_mean(times, 3),
        peak_memory_mib=round(max(memory)) if memory else None,
        torch_threads=sorted({run['torch_threads'] for run in runs}),
        commits=sorted({run['commit'] or 'unknown' for run in runs}),
    )


def _quality(runs: list[dict]) -> list[dict]:
    """Means over seeds at the iterations at which all seeds were measured."""
    seeds = [{own['iter']: own for own in run.get('pseudo_labels') or []} for run in runs]
    return [
        dict(iter=i, **{k: _mean([s[i][k] for s in seeds]) for k in QUALITY if k in seeds[0][i]})
        for i in sorted(set.intersection(*map(set, seeds)))
    ]


def _mean(values: list[float], digits: int = 2) -> float | None:
    return round(statistics.mean(values), digits) if values else None


def _mean_sd(runs: list[dict], key: str) -> dict[str, float | None]:
    values = [run['metrics'][key] for run in runs]
    # the sample deviation of a single seed is undefined
    sd = round(statistics.stdev(values), 2) if len(values) > 1 else None
    return dict(mean=_mean(values), sd=sd)


def _per_class(runs: list[dict], network: str) -> dict[str, float]:
    prefix = f'{network}/IoU.'
    return {
        key.removeprefix(prefix): _mean([run['metrics'][key] for run in runs])
        for key in runs[0]['metrics']
        if key.startswith(prefix) and all(key in run['metrics'] for run in runs)
    }


def _stem(record: dict) -> str:
    return Path(record['config']).stem
