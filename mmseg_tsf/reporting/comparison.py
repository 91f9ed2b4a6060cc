"""Finished runs of active learning, grouped by what makes them comparable, and their figures."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from ..active_learning.campaign.summary import AMOUNTS
from ..active_learning.store.round_log import FINISHED, RoundLog
from ..active_learning.store.round_store import RoundStore
from ..evaluation.label_efficiency import (
    area_under_curve,
    mean_and_deviation,
    mean_curve,
    rising,
)
from ..evaluation.paired import compare_all, count_wins
from ..utils.errors import UserError
from .budget_curves import read_curve
from .label_quality import read_pool_quality
from .run_reader import is_complete, read_info, read_label_quality

MEASURES = ('final', 'aubc')
"""Figures by which methods are compared: the last mIoU, and the area under the budget curve."""
SCHEDULE = ('budget', 'rounds', 'start', 'boundaries', 'pool', 'initial_list', 'available')
"""What the campaigns of comparable runs agree in."""
RECORD = ('lists', 'max_iters', 'batch_size', 'world_size')
"""What their ``run_info.json`` agrees in."""


def find_runs(work_dir: Path) -> tuple[list[Path], list[Path]]:
    """Folders of finished and of other runs of a grid, ``<config>/seed_<n>``."""
    folders = sorted(
        (path.parent for path in work_dir.glob('*/seed_*/active_learning.jsonl')),
        key=lambda path: (path.parent.name, int(path.name.removeprefix('seed_'))),
    )
    done = [folder for folder in folders if is_complete(folder)]
    return done, [folder for folder in folders if folder not in done]


def read_compared(folder: Path) -> dict:
    """Record of one finished run.

    Returns:
        dict: :func:`~mmseg_tsf.reporting.budget_curves.read_curve` with the ``group`` of the run
        (what comparable runs agree in), the record's ``info``, what was ``spent`` in the end,
        ``query_seconds`` of a round, the ``labels`` of the pool and the ``pseudo_labels`` that
        ``PLARHook`` logged last; the last two are ``None`` where nothing was measured.

    Raises:
        UserError: See ``read_curve``.
    """
    curve, info = read_curve(folder), read_info(folder)
    campaign = RoundStore(folder / 'rounds').campaign()
    lines = RoundLog(folder / 'active_learning.jsonl').read()
    asked = [line['seconds'] for line in lines if line.get('state') != FINISHED]
    queries = [own.get('score', 0.0) + own.get('select', 0.0) for own in asked]
    logged = read_label_quality(folder)
    group = {key: campaign.get(key) for key in SCHEDULE}
    group.update({key: info.get(key) for key in RECORD})
    group.update(axis=curve['axis'], validation=curve['validation'])
    return dict(
        curve,
        group=group,
        info=info,
        spent={unit: lines[-1]['spent'][unit] for unit in AMOUNTS},
        query_seconds=fmean(queries) if queries else None,
        labels=read_pool_quality(folder),
        pseudo_labels=logged[-1] if logged else None,
    )


def compare_strategies(runs: Sequence[dict]) -> list[dict]:
    """Figures of the methods in each group of comparable runs.

    Args:
        runs: Records of :func:`read_compared`.

    Returns:
        list[dict]: Groups ready for JSON: ``settings`` that their runs agree in, ``methods``, and
        by measure ``pairs`` and ``wins``, see :mod:`mmseg_tsf.evaluation.paired`.

    Raises:
        UserError: Two runs of a method have one seed, or the runs of a group have no round in
            common.
    """
    groups: dict[str, list[dict]] = defaultdict(list)
    for run in runs:
        groups[json.dumps(run['group'], sort_keys=True)].append(run)
    return [_group(members) for members in groups.values()]


def _group(runs: list[dict]) -> dict:
    common = set.intersection(*({number for number, *_ in run['rounds']} for run in runs))
    if not common:
        raise UserError(
            f'{runs[0]["folder"]} and comparable runs were validated in no round that all have'
        )
    methods: dict[tuple, list[dict]] = defaultdict(list)
    for run in runs:
        methods[run['config'], run['settings']].append(run)
    names = _names(list(methods))
    rows = [
        _method(name, members, common)
        for name, members in zip(names, methods.values(), strict=True)
    ]
    pairs = {
        measure: compare_all({row['name']: row['scores'][measure] for row in rows})
        for measure in MEASURES
    }
    return dict(
        settings=runs[0]['group'],
        methods=rows,
        pairs=pairs,
        wins={measure: count_wins(own) for measure, own in pairs.items()},
    )


def _names(methods: list[tuple]) -> list[str]:
    """Names of configs, with the hash of their settings where a config has several."""
    stems = Counter(Path(config).stem for config, _ in methods)
    return [
        f'{stem} [{settings}]' if stems[stem := Path(config).stem] > 1 else stem
        for config, settings in methods
    ]


def _method(name: str, runs: list[dict], common: Iterable[int]) -> dict:
    seeds = [run['seed'] for run in runs]
    if len(set(seeds)) < len(seeds):
        folders = ', '.join(run['folder'] for run in runs)
        raise UserError(f'{folders} repeat a seed of {name}: give each seed once')
    curves = [{n: (spend, score) for n, spend, score in r['rounds'] if n in common} for r in runs]
    scores = dict(
        final={s: curve[max(common)][1] for s, curve in zip(seeds, curves, strict=True)},
        aubc={
            s: area_under_curve(*zip(*rising(curve), strict=True))
            for s, curve in zip(seeds, curves, strict=True)
        },
    )
    infos = [run['info'] for run in runs]
    return dict(
        name=name,
        config=runs[0]['config'],
        settings=runs[0]['settings'],
        seeds=seeds,
        curve=mean_curve(curves),
        scores=scores,
        **{key: mean_and_deviation(list(own.values())) for key, own in scores.items()},
        labels=_means([run['labels'] for run in runs]),
        pseudo_labels=_means([run['pseudo_labels'] for run in runs]),
        spent=_means([run['spent'] for run in runs]),
        query_seconds=_mean([run['query_seconds'] for run in runs]),
        iters=sorted({info['finished_iters'] for info in infos}),
        threads=sorted({info['torch_threads'] for info in infos}),
        devices=sorted({info['device'] for info in infos}),
        commits=sorted({str(commit) for info in infos for commit in _commits(info)}),
        shared=sum('first_stage' in info for info in infos),
        folders=[run['folder'] for run in runs],
    )


def _commits(info: dict) -> list[str | None]:
    return [info['commit'], *info.get('resumed_with_commit', [])]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _means(records: Sequence[dict | None]) -> dict[str, dict]:
    """Mean and deviation of each number that the records have in common; empty if one lacks all."""
    if any(record is None for record in records):
        return {}
    keys = [key for key, value in records[0].items() if isinstance(value, (int, float))]
    return {
        key: mean_and_deviation([record[key] for record in records])
        for key in keys
        if all(key in record for record in records)
    }
