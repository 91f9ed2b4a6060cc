"""Means, tables and metafiles from records of runs; see tools/results_table.py."""

from __future__ import annotations

import os.path as osp
import re
import statistics

import yaml

from .markdown import table_lines

METHODS = {
    'supervised': 'Supervised',
    'mt': 'MT',
    'mt-cutmix': 'MT + CutMix',
    'cps': 'CPS',
    'cps-cutmix': 'CPS + CutMix',
    'ael': 'AEL',
    'tsf': 'TSF',
    'tsf-emd': 'TSF + EMD',
    'tsf-plar': 'TSF + PLAR',
    'tsf-emd-plar': 'TSF + EMD + PLAR',
    'tsf-emd-plar-ignore': 'TSF + EMD + PLAR, undecided labels ignored',
    'supervised-random-al': 'Supervised, random images',
    'supervised-entropy-al': 'Supervised, images by entropy',
    'supervised-margin-al': 'Supervised, images by margin',
    'tsf-random-al': 'TSF + AL (random pixels)',
    'tsf-al': 'TSF + AL (confidence < 0.7)',
    'tsf-entropy-al': 'TSF + AL (entropy)',
    'tsf-margin-al': 'TSF + AL (margin)',
    'tsf-margin-indirect-al': 'TSF + AL (margin), no loss of manual pixels',
    'tsf-emd-al': 'TSF + AL + EMD',
    'tsf-plar-no-emd-al': 'TSF + AL (seeds) + PLAR',
    'tsf-plar-no-seeds-al': 'TSF + AL + EMD + PLAR, no seeding round',
    'tsf-plar-al': 'TSF + AL (seeds) + EMD + PLAR',
}
"""Names in the table, in its order, by the first part of the config's name."""
QUALITY = {
    'flagged': 'flagged',
    'errors_inside': 'errors in it',
    'before.accuracy.inside': 'right in it, before',
    'after.accuracy.inside': 'after',
    'before.accuracy': 'right, before',
    'after.accuracy': 'after',
    'before.mIoU': 'mIoU, before',
    'after.mIoU': 'after',
    'after.dropped': 'dropped',
    'emd.AP': 'AP, EMD',
    'confidence.AP': 'confidence',
    'confidence<0.7.AP': '< 0.7',
    'confidence<0.8.AP': '< 0.8',
    'confidence<0.9.AP': '< 0.9',
}
"""Columns of the table of pseudo-labels, by what ``PLARHook`` calls them; all in percent."""
ASKED = re.compile(r'_(\d+)p-(\d+)p-')
"""In names of configs: shares of the initial labels and of what rounds ask for."""
NETWORKS = ('teacher', 'student', 'friend')
NOTHING = '–'


def make_groups(records: list[dict]) -> list[dict]:
    """Comparable rows: one group per data, labelled list, network, length, batch and device.

    What trains without rounds stands beside the rounds that begin with the same labels and ask for
    least (``..._15p-128x128`` in the group of ``..._15p-9p-128x128``).

    Args:
        records: Runs as tools/results_table.py reads them.

    Returns:
        list[dict]: Groups with the keys of the comparison and ``rows``, ready for JSON.
    """
    groups: dict[tuple, dict[tuple, list[dict]]] = {}
    settings = (_stem(r).partition('_')[2] for r in records if r.get('spent') is not None)
    asked = {setting: int(found[2]) for setting in settings if (found := ASKED.search(setting))}
    by_amount = sorted(asked, key=asked.get, reverse=True)  # of several, the last one counts
    beside = {ASKED.sub(r'_\1p-', setting): setting for setting in by_amount}
    for record in records:
        method, _, setting = _stem(record).partition('_')
        setting = beside.get(setting, setting)
        batch = record['batch_size'] * record['world_size']
        labelled = record['lists']['labelled']['sha256']
        key = (setting, labelled, record['max_iters'], batch, record['device'])
        row = (_order(method), method, record['config'], record['recipe'] or '')
        groups.setdefault(key, {}).setdefault(row, []).append(record)
    return [_group(key, rows) for key, rows in sorted(groups.items(), key=str)]


def _group(key: tuple, rows: dict[tuple, list[dict]]) -> dict:
    setting, _, max_iters, batch, device = key
    ordered = [rows[row] for row in sorted(rows)]
    out = [_row(runs) for runs in ordered]
    for i, row in enumerate(out):  # one config, several recipes: tell them apart
        if sum(other['config'] == row['config'] for other in out) > 1:
            out[i] = dict(row, method=f'{row["method"]} [{row["recipe"]}]')
    supervised = [i for i, row in enumerate(out) if row['method'] == METHODS['supervised']]
    for i, row in enumerate(out):
        base = ordered[supervised[0]] if len(supervised) == 1 and i not in supervised else []
        row['gain'] = _gain(ordered[i], base)
    lists = {}
    for runs in ordered:
        lists.update(runs[0]['lists'])
    return dict(
        setting=setting, lists=lists, max_iters=max_iters, batch=batch, device=device, rows=out
    )


def _row(runs: list[dict]) -> dict:
    first = runs[0]
    method = _stem(first).partition('_')[0]
    networks = {name: _mean_sd(runs, f'{name}/mIoU') for name in first['networks']}
    times = [run['step_time'] for run in runs if run['step_time'] is not None]
    memory = [run['peak_memory_mib'] for run in runs if run.get('peak_memory_mib') is not None]
    main = first['networks'][0]  # the one that predicts by default
    return dict(
        method=METHODS.get(method, method),
        config=first['config'],
        recipe=first['recipe'],
        seeds=sorted(run['seed'] for run in runs),
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


def _gain(runs: list[dict], base: list[dict]) -> float | None:
    """Mean difference of the networks that predict, over the seeds that both have."""
    own, other = (
        {run['seed']: run['metrics'][f'{run["networks"][0]}/mIoU'] for run in part}
        for part in (runs, base)
    )
    return _mean([own[seed] - other[seed] for seed in own.keys() & other.keys()])


def _quality(runs: list[dict]) -> list[dict]:
    """Means over seeds of what was measured at an iteration, as far as all have it."""
    seeds = [{own['iter']: own for own in run.get('pseudo_labels') or []} for run in runs]
    return [
        dict(iter=i, **{k: _mean([s[i][k] for s in seeds]) for k in QUALITY if k in seeds[0][i]})
        for i in sorted(set.intersection(*map(set, seeds)))
    ]


def _mean(values: list[float], digits: int = 2) -> float | None:
    return round(statistics.mean(values), digits) if values else None


def _mean_sd(runs: list[dict], key: str) -> dict[str, float | None]:
    values = [run['metrics'][key] for run in runs]
    # the sample's deviation; one seed has none
    sd = round(statistics.stdev(values), 2) if len(values) > 1 else None
    return dict(mean=round(statistics.mean(values), 2), sd=sd)


def _per_class(runs: list[dict], network: str) -> dict[str, float]:
    prefix = f'{network}/IoU.'
    names = [key for key in runs[0]['metrics'] if key.startswith(prefix)]
    return {
        name[len(prefix) :]: round(statistics.mean(run['metrics'][name] for run in runs), 2)
        for name in names
        if all(name in run['metrics'] for run in runs)
    }


def to_markdown(groups: list[dict]) -> str:
    """The groups as Markdown."""
    return '\n'.join(_group_to_markdown(group) for group in groups)


def _group_to_markdown(group: dict) -> str:
    lists = [
        f'- {branch}: {part["images"]} images, `{part["ann_file"]}` (sha256 {part["sha256"]})'
        for branch, part in group['lists'].items()
    ]
    head = [
        f'## {"_".join(group["setting"].split("_")[-2:])}',
        '',
        f'Configs `*_{group["setting"]}.py`. mIoU in percent on the test images, of the last '
        'checkpoint; mean ± sample deviation over seeds.',
        '',
        *lists,
        f'- {group["max_iters"]} iterations of {group["batch"]} labelled images on '
        f'{group["device"]}',
        '',
    ]
    columns = ['method', 'seeds', *(f'{name} mIoU' for name in NETWORKS), 'gain', 's / step']
    columns += ['peak MiB', 'threads', 'commit']
    rows = [_cells(row) for row in group['rows']]
    if any(row['spent'] is not None for row in group['rows']):  # rounds of active learning
        columns.insert(2, 'labelled pixels, %')
        for cells, row in zip(rows, group['rows'], strict=True):
            cells.insert(2, _text(row['spent']))
    parts = [*head, *table_lines(columns, rows), '']
    classes = list(dict.fromkeys(name for row in group['rows'] for name in row['per_class']))
    if classes:
        shown = [row for row in group['rows'] if row['per_class']]
        body = [[name, *(_text(row['per_class'].get(name)) for row in shown)] for name in classes]
        parts += ['IoU per class, of the network that predicts by default:', '']
        parts += [*table_lines(['class', *(row['method'] for row in shown)], body), '']
    lines = [
        [row['method'], str(own['iter']), *(_text(own.get(key)) for key in QUALITY)]
        for row in group['rows']
        for own in row['pseudo_labels']
    ]
    if lines:
        parts += ['Pseudo-labels of the unlabelled images in percent, against masks that only the ']
        parts[-1] += 'evaluation sees; pixels that people have labelled are left out:'
        parts += ['', *table_lines(['method', 'iteration', *QUALITY.values()], lines), '']
    return '\n'.join(parts)


def _cells(row: dict) -> list[str]:
    cells = [f'[{row["method"]}](../{row["config"]})', ', '.join(map(str, row['seeds']))]
    for name in NETWORKS:
        value = row['networks'].get(name)
        sd = f' ± {value["sd"]:.2f}' if value and value['sd'] is not None else ''
        cells.append(_text(value and value['mean']) + sd)
    cells.append(NOTHING if row['gain'] is None else f'{row["gain"]:+.2f}')
    cells.append(NOTHING if row['step_time'] is None else f'{row["step_time"]:.3f}')
    cells.append(NOTHING if row['peak_memory_mib'] is None else str(row['peak_memory_mib']))
    cells.append(', '.join(map(str, row['torch_threads'])))
    return [*cells, ', '.join(row['commits'])]


def update_metafiles(groups: list[dict], paths: list[str]) -> list[str]:
    """Writes ``Results`` of every model in MMSeg metafiles; returns the files that changed.

    A model without a row has no results: the metafile says what the table says.
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


def _stem(record: dict) -> str:
    return osp.splitext(osp.basename(record['config']))[0]


def _order(method: str) -> int:
    return list(METHODS).index(method) if method in METHODS else len(METHODS)


def _text(value: float | None) -> str:
    return NOTHING if value is None or value != value else f'{value:.2f}'  # NaN: of nothing
