"""Sections on scores, classes, refinement and training."""

from __future__ import annotations

import math
from pathlib import Path

from ...active_learning.store.round_log import EXTENDED, FINISHED
from ...utils.errors import UserError
from ..budget_curves import group_curves, read_curve
from ..drawing.charts import Series, line_chart
from ..run_reader import (
    last_score,
    main_network,
    read_info,
    read_label_quality,
    read_test,
    score_key,
)

PHASES = ('train', 'validate', 'score', 'select', 'oracle')
CELLS = ('flagged', 'corrected', 'unresolved')
SMALL = dict(wide=400, narrow=340)


def describe_scores(
    folder: Path, info: dict, lines: list[dict], validations: list[dict], compare: list[Path]
) -> dict:
    """Curve of mIoU against spend, or against iterations if the run has no rounds.

    Args:
        folder: Folder of the run.
        info: Contents of ``run_info.json``.
        lines: Lines of ``active_learning.jsonl``.
        validations: Validation entries from :func:`~mmseg_tsf.reporting.run_reader.read_scalars`.
        compare: Folders of other runs; a run without rounds is drawn as a level.

    Raises:
        UserError: If a folder in ``compare`` is not the folder of a run, or its run spends in
            another unit.
    """
    key = score_key(info)
    if any(key in line.get('metrics', {}) for line in lines):
        own = read_curve(folder)
        return _against_spend(own, compare)
    points = [(entry['step'], entry[key]) for entry in validations if key in entry]
    series = [Series(folder.resolve().name, points)]
    if not points and key in read_test(folder):
        series = [_level(folder, 0)]
    series += [_level(other, i + 1) for i, other in enumerate(compare)]
    return _scores(series, 'iterations')


def _against_spend(own: dict, compare: list[Path]) -> dict:
    has_rounds = [(other / 'active_learning.jsonl').is_file() for other in compare]
    runs = [read_curve(other) for other, rounds in zip(compare, has_rounds, strict=True) if rounds]
    axes = {run['axis'] for run in (own, *runs)}
    if len(axes) > 1:
        raise UserError(
            f'the runs spend in {" and in ".join(sorted(axes))}: show them in separate reports'
        )
    series = [Series(Path(own['folder']).resolve().name, own['points'])]
    for group in group_curves(runs, None, 1.0):
        points = [(point['spend'], point['mean']) for point in group['curve']]
        name = f'{group["name"]} (n={len(group["runs"])})'
        deviations = [point['sd'] for point in group['curve']]
        series.append(Series(name, points, deviations, len(series)))
    plain = [other for other, rounds in zip(compare, has_rounds, strict=True) if not rounds]
    series += [_level(other, len(series) + i) for i, other in enumerate(plain)]
    return _scores(series, own['axis'])


def _level(folder: Path, style: int) -> Series:
    """Final score of a run without rounds."""
    name = Path(read_info(folder)['config'] or folder).stem
    score, when = last_score(folder)
    return Series(f'{name}, {when}', [(0.0, score)], style=style, flat=True)


def _scores(series: list[Series], axis: str) -> dict:
    unit = axis if axis == 'iterations' else f'spent ({axis})'
    return dict(
        axis=unit,
        chart=line_chart(series, f'mIoU against {unit}', unit, 'mIoU in percent', height=340),
        series=[
            dict(
                line.key,
                points=[(x, y, d) for (x, y), d in zip(line.points, line.deviations, strict=True)],
            )
            for line in series
            if line.points
        ],
    )


def measured(
    lines: list[dict], validations: list[dict], tested: dict[str, float]
) -> list[tuple[str, dict]]:
    """Column titles and metrics: by round if there are rounds, otherwise by validation or test."""
    if not lines:
        found = [(f'{entry["step"]:,}', entry) for entry in validations]
        return found or ([('Test', tested)] if tested else [])
    later = {line['round'] for line in lines if line.get('state') != EXTENDED}
    lines = [line for line in lines if line.get('state') != EXTENDED or line['round'] not in later]
    found = [(f'Round {line["round"]}', line.get('metrics', {})) for line in lines]
    if lines[-1].get('state') == FINISHED:
        found[-1] = 'End', found[-1][1]
    return found


def describe_classes(info: dict, found: list[tuple[str, dict]]) -> dict | None:
    """IoU of each class by :func:`measured` column; ``None`` if nothing was measured."""
    prefix = f'{main_network(info)}/IoU.'
    found = [part for part in found if any(key.startswith(prefix) for key in part[1])]
    if not found:
        return None
    names = [key.removeprefix(prefix) for key in found[-1][1] if key.startswith(prefix)]
    rows = []
    for name in [*names, None]:
        key = prefix + name if name is not None else score_key(info)
        values = [_finite(metrics.get(key)) for _, metrics in found]
        known = [value for value in values if value is not None]
        gain = known[-1] - known[0] if len(known) > 1 else None
        rows.append(dict(name=name, values=values, gain=gain))
    return dict(network=main_network(info), columns=[name for name, _ in found], rows=rows)


def describe_refinement(
    folder: Path, summary: dict | None, training: list[dict], pictures: list[dict]
) -> dict | None:
    """What EMD flagged and PLAR decided or left open; ``None`` if the run has no refinement.

    Args:
        folder: Folder of the run.
        summary: See :func:`~mmseg_tsf.active_learning.campaign.summary.summarise`.
        training: Training entries from :func:`~mmseg_tsf.reporting.run_reader.read_scalars`.
        pictures: Rounds from :func:`~mmseg_tsf.reporting.sections.gallery.draw_round`.
    """
    asked = {r['round']: r['pixels_asked'] for r in (summary or {}).get('rounds', [])}
    rounds = [
        dict(cells, round=number, asked=asked[number], kept=cells['cells'] - cells['flagged'])
        for number, cells in (summary or {}).get('notes', {}).items()
        if number in asked and 'flagged' in cells  # notes of a query that refines
    ]
    names = [f'refinement.{name}' for name in (*CELLS, 'changed')]
    series = [
        Series(
            name.removeprefix('refinement.'),
            [(entry['step'], 100 * entry[name]) for entry in training if name in entry],
            style=style,
            markers=False,
        )
        for style, name in enumerate(names)
    ]
    chart = line_chart(series, 'Shares in training', 'iterations', '% of pixels', zero=True)
    quality = read_label_quality(folder)
    shown = [dict(part['quality'], round=part['number']) for part in pictures if part['quality']]
    if not (rounds or chart or quality or shown):
        return None
    drawn = [dict(line.key, last=line.points[-1][1]) for line in series if line.points]
    return dict(rounds=rounds, chart=chart, series=drawn, quality=quality, shown=shown)


def describe_training(info: dict, lines: list[dict], training: list[dict]) -> dict | None:
    """Losses, step times and the seconds that each phase of a round took; ``None`` without logs."""
    if not training:
        return None
    names = list(dict.fromkeys(key for entry in training for key in entry if 'loss' in key))
    losses = []
    for name in names:
        points = [(entry['step'], entry[name]) for entry in training if name in entry]
        series = Series(name, points, markers=False)
        chart = line_chart([series], f'{name} by iteration', 'iterations', '', 180, True, SMALL)
        if chart:
            values = [value for _, value in series.points]
            figures = dict(first=values[0], least=min(values), last=values[-1])
            losses.append(dict(name=name, chart=chart, **figures))
    times = [
        Series(label, [(e['step'], e[key]) for e in training if key in e], None, style, False)
        for style, (key, label) in enumerate((('time', 'step'), ('data_time', 'waiting for data')))
    ]
    rounds = [line for line in lines if line.get('seconds')]
    return dict(
        losses=losses,
        times=[line.key for line in times if line.points],
        time=line_chart(times, 'Seconds by iteration', 'iterations', 'seconds', 220, True),
        figures=_throughput(info, training),
        phases=PHASES,
        rounds=[
            dict(round=line['round'], seconds=[line['seconds'].get(p, 0.0) for p in PHASES])
            for line in rounds
        ],
    )


def _throughput(info: dict, training: list[dict]) -> dict[str, str]:
    times = sorted(entry['time'] for entry in training if 'time' in entry)
    if not times:
        return {}
    median = times[len(times) // 2]
    waits = [e['data_time'] / e['time'] for e in training if e.get('time') and 'data_time' in e]
    images = info['batch_size'] * info['world_size'] / median
    figures = {'Median step': f'{median:.3f} s', 'Labelled images': f'{images:.1f} / s'}
    if waits:
        figures['Waiting for data'] = f'{100 * sum(waits) / len(waits):.0f} % of a step'
    return figures


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
