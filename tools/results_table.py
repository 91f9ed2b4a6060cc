"""Writes result tables from run folders, so that no number is typed by hand.

    python tools/results_table.py work_dirs/* --metafiles
    python tools/results_table.py docs/results.json work_dirs/new --metafiles

A run folder holds what tools/train.py and tools/test.py leave in it. Only finished runs whose last
checkpoint was tested are taken; the others are named on stderr. A JSON file of an earlier call
stands for the runs in it. The table replaces what is between two markers in the Markdown file.
"""

from __future__ import annotations

import argparse
import json
import os.path as osp
import statistics
import sys
from glob import glob
from pathlib import Path

from mmseg_tsf.active_learning.store.round_log import RoundLog
from mmseg_tsf.active_learning.store.round_store import CAMPAIGN
from mmseg_tsf.reporting.run_reader import hash_settings, read_label_quality
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.markdown import write_between_markers
from mmseg_tsf.utils.results import make_groups, to_markdown, update_metafiles


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', metavar='RUN_DIR', help='run folders or JSON files')
    parser.add_argument('-o', '--out', default='docs/results.md', help='Markdown file')
    parser.add_argument('--json', default='docs/results.json', help='JSON file')
    parser.add_argument(
        '--metafiles', action='store_true', help='fill in Results of configs/*/metafile.yaml'
    )
    return parser.parse_args(argv)


def read_run(folder: str) -> dict:
    """One finished run as a flat record.

    Raises:
        UserError: Unfinished, or not tested at its end; says which.
    """
    info = _read_json(osp.join(folder, 'run_info.json'), 'train with tools/train.py and SemiHook')
    done, wanted = info.get('finished_iters'), info['max_iters']
    if done != wanted:
        raise UserError(f'{folder} is unfinished: {done or 0} of {wanted} iterations')
    test = _read_json(osp.join(folder, 'test_metrics.json'), 'test its last checkpoint')
    last = f'iter_{wanted}.pth'
    if test['checkpoint'] != last:
        raise UserError(
            f'{folder} was tested with {test["checkpoint"]}: test {last}, the last checkpoint'
        )
    if test.get('tta') or test.get('cfg_options'):
        raise UserError(
            f'{folder} was tested with --tta or --cfg-options: test it as its config says'
        )
    return dict(
        info,
        metrics=test['metrics'],
        step_time=step_time(folder),
        recipe=hash_settings(Path(folder), info['config']),
        spent=spent(folder),
        pseudo_labels=read_label_quality(Path(folder)),
    )


def spent(folder: str) -> float | None:
    """Percent of all pixels that a run of active learning has paid for, initial labels included."""
    lines = RoundLog(Path(folder, 'active_learning.jsonl')).read()
    if not lines:
        return None
    campaign = _read_json(
        osp.join(folder, 'rounds', CAMPAIGN), 'it says what there is to label: copy it along'
    )
    return round(100 * lines[-1]['spent']['pixels'] / campaign['available']['pixels'], 2)


def step_time(folder: str) -> float | None:
    """Median of the logged times of training iterations, in seconds."""
    times = []
    for path in glob(osp.join(folder, '*', 'vis_data', 'scalars.json')):
        with open(path) as file:
            entries = [json.loads(line) for line in file]
        # entries of validation and test have a time, too, but no loss
        times += [entry['time'] for entry in entries if 'loss' in entry and 'time' in entry]
    return statistics.median(times) if times else None


def collect(paths: list[str]) -> list[dict]:
    """Records of all finished runs; names the others on stderr."""
    records, seen = [], {}
    for path in paths:
        if path.endswith('.json'):
            found = _read_json(path, 'it is written by --json')['runs']
        else:
            try:
                found = [read_run(path)]
            except (FileNotFoundError, ValueError) as error:
                print(f'left out: {error}', file=sys.stderr)
                continue
        for record in found:
            keys = ('config', 'recipe', 'seed', 'max_iters', 'batch_size', 'world_size', 'device')
            key = tuple(record[name] for name in keys)
            if key in seen:
                print(
                    f'left out: {path} repeats seed {record["seed"]} of {record["config"]} in '
                    f'{seen[key]}',
                    file=sys.stderr,
                )
                continue
            seen[key] = path
            records.append(record)
    return records


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parse_args(argv)
    records = collect(args.runs)
    if not records:
        raise UserError('no finished run in the folders given: nothing is written')
    groups = make_groups(records)
    write_between_markers(args.out, 'results', to_markdown(groups))
    with open(args.json, 'w') as file:
        json.dump(dict(groups=groups, runs=records), file, indent=2)
        file.write('\n')
    if args.metafiles:
        for path in update_metafiles(groups, sorted(glob('configs/*/metafile.yaml'))):
            print(f'updated {path}')
    print(f'{len(records)} runs: {args.out}, {args.json}')


def _read_json(path: str, mend: str) -> dict:
    if not osp.isfile(path):
        raise UserError(f'{path} does not exist: {mend}')
    with open(path) as file:
        return json.load(file)


if __name__ == '__main__':
    run_tool(main)
