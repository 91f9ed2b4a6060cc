"""Folders of finished runs of active learning as a grid leaves them, written without training."""

from __future__ import annotations

import json
from pathlib import Path

from made_up_runs import write_run_info

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.active_learning.store.round_log import FINISHED, RoundLog

PIXELS = 1000
"""Pixels of the labelled images and the pool together."""
CLASSES = ['road', 'sky']


def write_compared(
    grid: Path,
    strategy: str,
    seed: int,
    scores: list[float],
    shares: list[float] | None = None,
    finished: bool = True,
    quality: dict | None = None,
    data: str = 'toy',
    **info,
) -> Path:
    """Writes the record, config, campaign and log of a run; returns its folder.

    Args:
        grid: Folder of the grid.
        strategy: First part of the config's name.
        seed: Seed of the run.
        scores: mIoU before each round and at the end.
        shares: What was spent by then, of all pixels; 0.1, 0.2, ... by default.
        finished: Whether the run has ended.
        quality: Figures of the labels of the pool.
        data: Name of the data set, the end of the config's name.
        **info: Entries of ``run_info.json`` to replace.
    """
    shares = shares or [0.1 * (i + 1) for i in range(len(scores))]
    stem = f'{strategy}_net_1xb4_{data}'
    folder = grid / stem / f'seed_{seed}'
    folder.mkdir(parents=True)
    record = dict(
        config=f'configs/{stem}.py', seed=seed, networks=['student'], predict_on='student'
    )
    end = {} if finished else dict(finished_iters=None)
    write_run_info(folder, **{**record, **end, **info})
    if not finished:
        content = json.loads((folder / 'run_info.json').read_text())
        del content['finished_iters']
        (folder / 'run_info.json').write_text(json.dumps(content))
    (folder / f'{stem}.py').write_text(f'train_cfg = dict(query={strategy!r})\n')
    RoundStore(folder / 'rounds').open(_campaign(len(scores) - 1, data), ())
    _write_log(folder, scores, shares, finished)
    if quality is not None:
        (folder / 'iter_90.pth').touch()
        content = dict(checkpoint='iter_90.pth', images=5, **quality)
        (folder / 'label_quality.json').write_text(json.dumps(content))
    return folder


def _campaign(rounds: int, data: str) -> dict:
    return dict(
        classes=CLASSES,
        pool=data,
        initial_list='2 images',
        initial=dict(pixels=100, images=2, regions=2, clicks=0),
        available=dict(pixels=PIXELS, images=7),
        budget=dict(total=0.8, per_round=None, unit='pixels'),
        rounds=rounds,
        start='fresh',
        boundaries=[30 * (i + 1) for i in range(rounds)],
    )


def _write_log(folder: Path, scores: list[float], shares: list[float], finished: bool) -> None:
    log, last = RoundLog(folder / 'active_learning.jsonl'), len(scores) - 1
    for number, (score, share) in enumerate(zip(scores, shares, strict=True)):
        if number == last and not finished:
            return
        spent = dict(pixels=round(PIXELS * share), images=2 + number, regions=9, clicks=4 * number)
        line = dict(round=number, iter=30 * (number + 1), spent=spent, unit='pixels', share=share)
        line.update(state=FINISHED if number == last else 'answered')
        line.update(metrics={'student/mIoU': score, 'student/aAcc': 1.0}, notes={})
        line['seconds'] = {} if number == last else dict(train=9.0, score=2.0 + number, select=0.5)
        log.write(line)
