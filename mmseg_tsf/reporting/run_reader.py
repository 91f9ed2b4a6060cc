"""What the folder of a run says: its config, its logs, and its curve of score against spend."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from statistics import fmean

from mmengine.config import Config

from ..active_learning.store.round_log import RoundLog
from ..evaluation.label_efficiency import rising, summarise_curves
from ..utils.errors import UserError
from ..utils.settings import SETTINGS, flatten

PSEUDO_LABELS = re.compile(r'Quality of pseudo-labels after iteration (\d+): (.*)')


def read_info(folder: Path) -> dict:
    """``run_info.json`` of a run.

    Raises:
        UserError: There is none.
    """
    path = folder / 'run_info.json'
    if not path.is_file():
        raise UserError(f'{folder} is no folder of a run: give what --work-dir named')
    return json.loads(path.read_text())


def read_config(folder: Path, config: str | None) -> Config | None:
    """The dumped config of a run, overrides included; ``None`` where there is none.

    Args:
        folder: Of the run.
        config: What its ``run_info.json`` names.
    """
    path = folder / Path(config or '').name
    return Config.fromfile(path, import_custom_modules=False) if path.is_file() else None


def read_run(folder: Path) -> dict:
    """One run of active learning: its config, its points and on what axis they lie.

    Raises:
        UserError: The folder holds no run of active learning.
        UserError: It was never validated before a query.
    """
    info = read_info(folder)
    lines = RoundLog(folder / 'active_learning.jsonl').read()
    if not lines:
        raise UserError(f'{folder}/active_learning.jsonl is missing: no round was held')
    key = f'{info["networks"][0]}/mIoU'
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
            raise UserError(f'{folder} has no number as {key} of round {number}: leave it out')
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


def read_runs(path: Path) -> list[dict]:
    """A run of active learning by its folder, or those that a ``curves.json`` holds.

    Raises:
        UserError: See :func:`read_run`.
        UserError: A file that ``curves.py`` did not write; see :func:`read_run`, too.
    """
    if path.suffix != '.json':
        return [read_run(path)]
    try:
        groups = json.loads(path.read_text())['groups']
        return [run for group in groups for run in group['runs']]
    except (ValueError, KeyError, TypeError):
        raise UserError(f'{path} is no curves.json: give one that curves.py has written') from None


def hash_settings(folder: Path, config: str | None) -> str | None:
    """Of what a run was trained with, command-line overrides included; not of its seed."""
    cfg = read_config(folder, config)
    if cfg is None:
        return None
    text = json.dumps([cfg.get(name) for name in SETTINGS], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _hash_validation(cfg: Config | None) -> str | None:
    """Of what a run was validated on, and how; not of where the data lie."""
    if cfg is None or not cfg.get('val_dataloader'):
        return None
    flat = flatten(dict(data=cfg.val_dataloader.dataset, evaluator=cfg.get('val_evaluator')))
    flat = {key: '/'.join(Path(value).parts[-2:]) for key, value in flat.items()}
    flat.pop('data.data_root', None)
    return hashlib.sha256(json.dumps(flat, sort_keys=True).encode()).hexdigest()[:6]


def read_full(values: list[str]) -> float | None:
    """Fully supervised mIoU: a number, or the mean of what runs reached at their ends.

    Raises:
        UserError: A run is unfinished, or was not validated at its end.
    """
    scores = []
    for value in values:
        is_run = Path(value).is_dir()
        scores.append(last_score(Path(value))[0] if is_run else _number(value))
    return fmean(scores) if scores else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f'{text} is neither a number nor the folder of a run') from None


def last_score(folder: Path) -> tuple[float, str]:
    """MIoU of a finished run and whence: its validation at the end, or else the test of its end.

    Raises:
        UserError: It is unfinished, or was neither validated nor tested there.
    """
    info = read_info(folder)
    key, end = f'{info["networks"][0]}/mIoU', info['max_iters']
    for entry in reversed(read_scalars(folder)[1]):
        if key in entry and entry['step'] == end:
            return entry[key], 'at its end'
    path = folder / 'test_metrics.json'
    test = json.loads(path.read_text()) if path.is_file() else {}
    if test.get('checkpoint') == f'iter_{end}.pth':
        return test['metrics'][key], 'as tested'
    raise UserError(
        f'{folder} has no {key} at iteration {end}: let it finish, then validate or test it there'
    )


def make_groups(runs: list[dict], full: float | None, share: float) -> list[dict]:
    """Seeds of one config together, with their figures.

    Raises:
        UserError: The runs spend in different units, or a seed is there twice.
    """
    axes = sorted({run['axis'] for run in runs})
    if len(axes) > 1:
        raise UserError(f'the runs spend in {" and in ".join(axes)}: draw them apart')
    found: dict[tuple, list[dict]] = {}
    for run in runs:
        found.setdefault((run['config'], run['settings']), []).append(run)
    configs = [config for config, _ in found]
    groups = []
    for (config, settings), members in found.items():
        seeds = [run['seed'] for run in members]
        if len(set(seeds)) < len(seeds):
            folders = ', '.join(run['folder'] for run in members)
            raise UserError(f'{folders} repeat a seed of {config}: give each seed once')
        if len({run.get('validation') for run in members} - {None}) > 1:
            folders = ', '.join(run['folder'] for run in members)
            raise UserError(f'{folders} were validated on different data: draw them apart')
        name = Path(config or members[0]['folder']).stem  # made without a file: its folder
        if configs.count(config) > 1:  # one config, several settings: tell them apart
            name = f'{name} [{settings}]'
        curves = [_by_round(run) for run in members]
        groups.append(
            dict(
                name=name,
                runs=members,
                last_rounds=[max(curve) for curve in curves],
                **summarise_curves(curves, full, share),
            )
        )
    return groups


def _by_round(run: dict) -> dict[int, tuple[float, float]]:
    """Points by number of the round; files of earlier versions have none, but a point for each."""
    rounds = run.get('rounds') or [[i, *point] for i, point in enumerate(run['points'])]
    return {number: (spend, score) for number, spend, score in rounds}


def read_test(folder: Path) -> dict[str, float]:
    """Metrics that the tool for testing wrote; empty where there are none."""
    path = folder / 'test_metrics.json'
    return json.loads(path.read_text())['metrics'] if path.is_file() else {}


def read_scalars(folder: Path) -> tuple[list[dict], list[dict]]:
    """Training and validation entries of a run's logs, by step.

    Of a step that ran twice, after a crash, the later entry counts; a line that a crash has cut
    off is left out.
    """
    training, validation = {}, {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            (training if 'loss' in entry else validation)[entry['step']] = entry
    return [training[step] for step in sorted(training)], [
        validation[step] for step in sorted(validation)
    ]


def read_label_quality(folder: Path) -> list[dict]:
    """What ``PLARHook`` measured against hidden ground truth: ``iter`` and figures in percent."""
    found = {}
    for path in sorted(folder.glob('*/*.log')):
        for iteration, text in PSEUDO_LABELS.findall(path.read_text(errors='replace')):
            figures = (part.rsplit(': ', 1) for part in text.split('  '))
            found[int(iteration)] = {name: float(value) for name, value in figures}
    return [dict(iter=iteration, **found[iteration]) for iteration in sorted(found)]
