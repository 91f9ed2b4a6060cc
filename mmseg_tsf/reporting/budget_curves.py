"""Curves of mIoU against the spent budget: read from run folders and grouped over seeds."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from statistics import fmean

from mmengine.config import Config

from ..active_learning.store.round_log import RoundLog
from ..evaluation.label_efficiency import rising, summarise_curves
from ..utils.errors import UserError
from ..utils.settings import flatten
from ..utils.shapes import NUMBER, TEXT, Record, read_as
from .run_reader import hash_settings, last_score, read_config, read_info, read_json, score_key

CURVE = dict(
    folder=str,
    config=TEXT,
    settings=TEXT,
    validation=TEXT,
    seed=int,
    commit=TEXT,
    axis=str,
    points=[[NUMBER]],
    rounds=[[NUMBER]],
)
"""Shape of the curve of a run in ``curves.json``."""


def read_curve(folder: Path) -> dict:
    """Curve of one active-learning run.

    Returns:
        dict: ``points`` (spend, mIoU), the same by round as ``rounds``, the ``axis`` in which the
        spend is given, and what identifies the run: ``folder``, ``config``, ``settings`` and
        ``validation`` (hashes), ``seed`` and ``commit``.

    Raises:
        UserError: If the folder does not hold an active-learning run, the run was not validated
            before a query, or a score is not finite.
    """
    info = read_info(folder)
    lines = RoundLog(folder / 'active_learning.jsonl').read()
    if not lines:
        raise UserError(f'{folder}/active_learning.jsonl is missing: the run has held no rounds')
    key = score_key(info)
    unit, shares = lines[-1].get('unit', 'pixels'), 'share' in lines[-1]
    rounds = {
        line['round']: (
            100 * line['share'] if shares else line['spent'][unit],
            line['metrics'][key],
        )
        for line in sorted(lines, key=lambda line: line['iter'])
        if key in line.get('metrics', {})
    }
    if not rounds:
        raise UserError(f'{folder} has no {key} in active_learning.jsonl: train with val_cfg')
    for number, (_, score) in rounds.items():
        if not math.isfinite(score):
            raise UserError(f'{folder} has {score} as {key} of round {number}: leave this run out')
    return dict(
        folder=str(folder),
        config=info['config'],
        settings=hash_settings(folder, info['config']),
        validation=_hash_validation(read_config(folder, info['config'])),
        seed=info['seed'],
        commit=info['commit'],
        axis=f'% of all {unit}' if shares else unit,
        points=rising(rounds),
        rounds=[[number, *rounds[number]] for number in sorted(rounds)],
    )


def read_curves(path: Path) -> list[dict]:
    """Curve of the run in a folder, or all curves in a ``curves.json``.

    Raises:
        UserError: If the file was not written by ``curves.py``; see also :func:`read_curve`.
    """
    if path.suffix != '.json':
        return [read_curve(path)]
    remedy = 'give a curves.json of curves.py'
    groups = read_as(read_json(path, remedy), dict(groups=[dict(runs=[CURVE])]), path, remedy)
    return [
        Record(run, path, remedy) for group in groups['groups'] for run in group.get('runs', [])
    ]


def read_full(values: list[str]) -> float | None:
    """Mean mIoU of fully supervised training in percent; ``None`` without values.

    Args:
        values: Numbers, or folders of finished runs whose last score is taken.

    Raises:
        UserError: If a value is neither, or a run was not validated or tested at its end.
    """
    scores = []
    for value in values:
        is_run = Path(value).is_dir()
        scores.append(last_score(Path(value))[0] if is_run else _number(value))
    return fmean(scores) if scores else None


def group_curves(runs: list[dict], full: float | None, share: float) -> list[dict]:
    """Groups the seeds of each config and summarises their curves.

    Args:
        runs: Curves from :func:`read_curve`.
        full: Fully supervised mIoU in percent; ``None`` if unknown.
        share: Share of ``full`` whose spend is looked up.

    Returns:
        list[dict]: ``name``, ``runs``, ``last_rounds`` and the figures of
        :func:`~mmseg_tsf.evaluation.label_efficiency.summarise_curves`.

    Raises:
        UserError: If the runs spend in different units, repeat a seed, or were validated on
            different data.
    """
    axes = sorted({run['axis'] for run in runs})
    if len(axes) > 1:
        raise UserError(f'the runs spend in {" and in ".join(axes)}: draw them separately')
    found: dict[tuple, list[dict]] = {}
    for run in runs:
        found.setdefault((run['config'], run['settings']), []).append(run)
    configs = [config for config, _ in found]
    groups = []
    for (config, settings), members in found.items():
        folders = ', '.join(run['folder'] for run in members)
        if len({run['seed'] for run in members}) < len(members):
            raise UserError(f'{folders} repeat a seed of {config}: give each seed once')
        if len({run['validation'] for run in members} - {None}) > 1:
            raise UserError(f'{folders} were validated on different data: draw them separately')
        name = Path(config or members[0]['folder']).stem  # a config built in code has no path
        if configs.count(config) > 1:  # one config trained with several settings
            name = f'{name} [{settings}]'
        curves = [
            {number: (spend, score) for number, spend, score in run['rounds']} for run in members
        ]
        groups.append(
            dict(
                name=name,
                runs=members,
                last_rounds=[max(curve) for curve in curves],
                **summarise_curves(curves, full, share),
            )
        )
    return groups


def _hash_validation(cfg: Config | None) -> str | None:
    """Hash of the validation data and metric, independent of where the data are stored."""
    if cfg is None or not cfg.get('val_dataloader'):
        return None
    flat = flatten(dict(data=cfg.val_dataloader.dataset, evaluator=cfg.get('val_evaluator')))
    flat = {key: '/'.join(Path(value).parts[-2:]) for key, value in flat.items()}
    flat.pop('data.data_root', None)
    return hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()[:6]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f'{text} is neither a number nor the folder of a run') from None
