"""Writes result tables from the folders of runs.

    python tools/results_table.py work_dirs/* --metafiles
    python tools/results_table.py docs/results.json work_dirs/new --metafiles

A run folder is the work dir of tools/train.py and tools/test.py. Only finished runs whose last
checkpoint was tested are included; the others are named on stderr. A JSON file of an earlier call
stands for the runs in it. The table replaces the text between two markers of the Markdown file.
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
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.markdown import write_between_markers
from mmseg_tsf.utils.results import make_groups, to_markdown, update_metafiles


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.add_argument(
        'runs', nargs='+', metavar='RUN_DIR', help='run folders, or JSON files written by this tool'
    )
    parser.share('--out', default='docs/results.md', help='Markdown file (%(default)s)')
    parser.share('--json', default='docs/results.json', help='JSON file (%(default)s)')
    parser.add_argument(
        '--metafiles',
        action='store_true',
        help='write Results into configs/*/metafile.yaml as well',
    )
    return parser.parse_args(argv)


def read_run(folder: str) -> dict:
    """Reads one finished run as a flat record.

    Raises:
        UserError: The run is unfinished, or its last checkpoint was not tested.
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
    """Share of labelled pixels in percent, initial labels included; ``None`` without rounds."""
    lines = RoundLog(Path(folder, 'active_learning.jsonl')).read()
    if not lines:
        return None
    campaign = _read_json(
        osp.join(folder, 'rounds', CAMPAIGN), 'it holds the size of the pool: copy it with the run'
    )
    return round(100 * lines[-1]['spent']['pixels'] / campaign['available']['pixels'], 2)


def step_time(folder: str) -> float | None:
    """Median of the logged times of training iterations, in seconds; ``None`` without a log."""
    times = []
    for path in glob(osp.join(folder, '*', 'vis_data', 'scalars.json')):
        with open(path) as file:
            entries = [json.loads(line) for line in file]
        # entries of validation and test have a time, but no loss
        times += [entry['time'] for entry in entries if 'loss' in entry and 'time' in entry]
    return statistics.median(times) if times else None


def collect(paths: list[str]) -> list[dict]:
    """Reads the records of all finished runs; names the others on stderr."""
    records, seen = [], {}
    for path in paths:
        if path.endswith('.json'):
            found = _read_json(path, 'it is written by --json')['runs']
        else:
            try:
                found = [read_run(path)]
            except UserError as error:
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
        raise UserError('none of the folders holds a finished run: nothing is written')
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
