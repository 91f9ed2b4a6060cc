"""Reads the folder of a run: its record, config, logs and test metrics."""

from __future__ import annotations

import hashlib
import json
import re
import statistics
from pathlib import Path

from mmengine.config import Config

from ..active_learning.campaign.summary import is_finished
from ..active_learning.store.round_log import RoundLog
from ..active_learning.store.round_store import CAMPAIGN
from ..utils.config_data import read_config_data
from ..utils.errors import UserError
from ..utils.settings import training_settings
from ..utils.shapes import NUMBER, TEXT, Record, misfit, read_as

PSEUDO_LABELS = re.compile(r'Quality of pseudo-labels after iteration (\d+): (.*)')


LISTS = {...: {'ann_file': TEXT, 'images': int, 'sha256': TEXT}}
INFO = dict(
    method=str,
    networks=[str],
    predict_on=str,
    config=TEXT,
    lists=LISTS,
    seed=int,
    max_iters=int,
    batch_size=int,
    world_size=int,
    accumulative_counts=int,
    device=str,
    torch=str,
    torch_threads=int,
    commit=TEXT,
    resumed_with_commit=[TEXT],
    finished_iters=int,
    peak_memory_mib=NUMBER,
)
"""Shape of ``run_info.json``."""
TESTED = dict(checkpoint=str, metrics={...: NUMBER})
"""Shape of ``test_metrics.json``."""
ENTRY = dict(step=int, loss=NUMBER, time=NUMBER, data_time=NUMBER)
"""Shape of a line of mmengine's ``scalars.json``."""


def read_info(folder: Path) -> dict:
    """Contents of ``run_info.json``.

    Raises:
        UserError: If the file is missing.
    """
    if not (folder / 'run_info.json').is_file():
        raise UserError(
            f'{folder} is not the folder of a run, it has no run_info.json: give the --work-dir '
            'of a training'
        )
    return _read_info(folder, 'copy it from the run again')


def _read_info(folder: Path, remedy: str) -> dict:
    path = folder / 'run_info.json'
    info = read_as(read_json(path, remedy), INFO, path, remedy)
    if not info['networks']:
        raise UserError(f'{path} names no network: {remedy}')
    return info


def is_complete(folder: Path) -> bool:
    """Whether a run of active learning has ended as planned, by its log and its record."""
    lines = RoundLog(folder / 'active_learning.jsonl').read()
    return is_finished(lines) and 'finished_iters' in read_info(folder)


def main_network(info: dict) -> str:
    """Name of the network that predicts by default.

    Args:
        info: Contents of ``run_info.json``. The runs in ``docs/results.json`` were recorded before
            ``predict_on`` was; in them the first network predicts.
    """
    return info.get('predict_on', info['networks'][0])


def score_key(info: dict) -> str:
    """Name of the metric by which runs are judged: the mIoU of :func:`main_network`."""
    return f'{main_network(info)}/mIoU'


def read_config(folder: Path, config: str | None) -> Config | None:
    """Config of a run as it was dumped, command-line overrides included; ``None`` if missing.

    Args:
        folder: Folder of the run.
        config: Path of the config according to ``run_info.json``.

    Raises:
        UserError: The config is broken or holds code, see
            :func:`~mmseg_tsf.utils.config_data.read_config_data`.
    """
    path = folder / Path(config or '').name
    return read_config_data(path) if path.is_file() else None


def hash_settings(folder: Path, config: str | None) -> str | None:
    """Hash of the settings of a training, command-line overrides included, without the seed."""
    cfg = read_config(folder, config)
    if cfg is None:
        return None
    text = json.dumps(list(training_settings(cfg).values()), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def read_test(folder: Path) -> dict[str, float]:
    """Metrics written by ``tools/test.py``; empty if the run was not tested."""
    test = _read_test_file(folder)
    return test['metrics'] if test else {}


def _read_test_file(folder: Path) -> dict:
    path = folder / 'test_metrics.json'
    return _read_tested(path, 'test the run again') if path.is_file() else {}


def _read_tested(path: Path, remedy: str) -> dict:
    found = read_as(read_json(path, remedy), TESTED, path, remedy)
    return dict(checkpoint=found['checkpoint'], metrics=Record(found['metrics'], path, remedy)) | {
        key: found.get(key) for key in ('tta', 'cfg_options')
    }


def read_scalars(folder: Path) -> tuple[list[dict], list[dict]]:
    """Training and validation entries of a run's logs, sorted by step.

    If a step was run twice because of a crash, the later entry counts. A line that was cut off by
    a crash is skipped.
    """
    training, validation = {}, {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text(errors='replace').splitlines():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if misfit(entry, ENTRY) is not None or 'step' not in entry:
                continue
            (training if 'loss' in entry else validation)[entry['step']] = entry
    return [training[step] for step in sorted(training)], [
        validation[step] for step in sorted(validation)
    ]


def read_label_quality(folder: Path) -> list[dict]:
    """Quality of pseudo-labels as logged by ``PLARHook``: ``iter`` and figures in percent."""
    found = {}
    for path in sorted(folder.glob('*/*.log')):
        for iteration, text in PSEUDO_LABELS.findall(path.read_text(errors='replace')):
            figures = (part.rsplit(': ', 1) for part in text.split('  '))
            found[int(iteration)] = {name: float(value) for name, value in figures}
    return [dict(iter=iteration, **found[iteration]) for iteration in sorted(found)]


def last_score(folder: Path) -> tuple[float, str]:
    """Final mIoU of a finished run in percent, and where it was measured.

    The validation at the last iteration counts, otherwise the test of the last checkpoint.

    Raises:
        UserError: If the run is unfinished, or was neither validated nor tested at its end.
    """
    info = read_info(folder)
    key, end = score_key(info), info['max_iters']
    for entry in reversed(read_scalars(folder)[1]):
        if key in entry and entry['step'] == end:
            return entry[key], 'at its end'
    test = _read_test_file(folder)
    if test.get('checkpoint') == f'iter_{end}.pth':
        return test['metrics'][key], 'as tested'
    raise UserError(
        f'{folder} has no {key} at iteration {end}: let it finish, then validate or test it there'
    )


def read_finished(folder: Path) -> dict:
    """Record of a finished run for the results table.

    Returns:
        dict: ``run_info.json`` with the ``metrics`` of the last checkpoint, the ``recipe`` (see
        :func:`hash_settings`), ``step_time``, ``spent`` and ``pseudo_labels``.

    Raises:
        UserError: If the run is unfinished, or its last checkpoint was not tested as configured.
    """
    info = _read_info(folder, 'train with tools/train.py and SemiHook')
    done, planned = info.get('finished_iters'), info['max_iters']
    if done != planned:
        raise UserError(f'{folder} is unfinished: {done or 0} of {planned} iterations')
    test = _read_tested(folder / 'test_metrics.json', 'test its last checkpoint')
    last = f'iter_{planned}.pth'
    if test['checkpoint'] != last:
        raise UserError(
            f'{folder} was tested with {test["checkpoint"]}: test {last}, the last checkpoint'
        )
    if test.get('tta') or test.get('cfg_options'):
        raise UserError(f'{folder} was tested with --tta or --cfg-options: test it without either')
    if score_key(info) not in test['metrics']:
        raise UserError(
            f'{folder} was tested without {score_key(info)}: test it again with '
            "test_evaluator.type='ClassIoUMetric' and test_cfg.type='SemiTestLoop'"
        )
    # entries whose lines have a time but no loss are of validations and tests
    times = [entry['time'] for entry in read_scalars(folder)[0] if 'time' in entry]
    return dict(
        info,
        metrics=test['metrics'],
        step_time=statistics.median(times) if times else None,
        recipe=hash_settings(folder, info['config']),
        spent=_spent_share(folder),
        pseudo_labels=read_label_quality(folder),
    )


def _spent_share(folder: Path) -> float | None:
    """Percent of all pixels that a campaign has paid for, including the initial labels."""
    lines = RoundLog(folder / 'active_learning.jsonl').read()
    if not lines:
        return None
    path = folder / 'rounds' / CAMPAIGN
    campaign = read_json(path, 'copy it from the run, it holds the number of all pixels')
    return round(100 * lines[-1]['spent']['pixels'] / campaign['available']['pixels'], 2)


def read_json(path: Path, remedy: str) -> dict:
    """Object in a JSON file.

    Args:
        path: The file.
        remedy: What to do where it is missing or damaged.

    Raises:
        UserError: If the file is missing or does not hold a JSON object.
    """
    if not path.is_file():
        raise UserError(f'{path} does not exist: {remedy}')
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path} is damaged, it is no JSON ({error}): {remedy}') from None
    if not isinstance(found, dict):
        raise UserError(f'{path} holds no JSON object: {remedy}')
    return found
