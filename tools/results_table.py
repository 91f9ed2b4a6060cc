"""Writes the tables of results from run folders, so that no number is copied by hand.

    python tools/results_table.py work_dirs/* --metafiles
    python tools/results_table.py docs/results.json work_dirs/new --metafiles

A run folder is the --work-dir of tools/train.py and tools/test.py. Only finished runs whose last
checkpoint was tested are included; the others are listed on stderr. A JSON file written by an
earlier call adds the runs in it. The tables replace the text between two markers in the Markdown
file.
"""

from __future__ import annotations

import argparse
import json
import sys
from glob import glob
from pathlib import Path

from mmseg_tsf.reporting.results import group_results
from mmseg_tsf.reporting.results_tables import read_row_names, to_markdown, update_metafiles
from mmseg_tsf.reporting.run_reader import INFO, read_finished, read_json
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.markdown import write_between_markers
from mmseg_tsf.utils.shapes import NUMBER, TEXT, Record, read_as

RESULT = dict(
    metrics={...: NUMBER},
    recipe=TEXT,
    step_time=NUMBER | None,
    spent=NUMBER | None,
    pseudo_labels=[{'iter': int, ...: NUMBER | None}],
)
"""Shape of what the records of this tool have beside that of the run."""
MODEL_INDEX = Path(__file__).resolve().parents[1] / 'model-index.yml'


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


def collect(paths: list[str]) -> list[dict]:
    """Records of all finished runs; lists the others on stderr.

    Args:
        paths: Run folders, or JSON files written by ``--json``.

    Raises:
        UserError: If a JSON file does not exist or was not written by this tool.
    """
    records, seen = [], {}
    for path in paths:
        if path.endswith('.json'):
            found = read_json(Path(path), 'give a file written by --json').get('runs')
            if found is None:
                raise UserError(f"{path} has no 'runs': give a file written by --json")
            found = check_records(found, path)
        else:
            try:
                found = [read_finished(Path(path))]
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


def check_records(runs: object, path: str) -> list[dict]:
    """Records of runs in a JSON file.

    Raises:
        UserError: They are none.
    """
    remedy, shape = 'give a file written by --json', {**INFO, **RESULT}
    checked = read_as(dict(runs=runs), dict(runs=[shape]), path, remedy)['runs']
    return [Record(run, path, remedy) for run in checked]


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parse_args(argv)
    records = collect(args.runs)
    if not records:
        raise UserError('none of the given folders holds a finished run: nothing was written')
    groups = group_results(records, read_row_names(MODEL_INDEX))
    write_between_markers(args.out, 'results', to_markdown(groups))
    with open(args.json, 'w') as file:
        json.dump(dict(groups=groups, runs=records), file, indent=2)
        file.write('\n')
    if args.metafiles:
        for path in update_metafiles(groups, sorted(glob('configs/*/metafile.yaml'))):
            print(f'updated {path}')
    print(f'{len(records)} runs: {args.out}, {args.json}')


if __name__ == '__main__':
    run_tool(main)
