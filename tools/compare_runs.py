"""Shows how runs of one method differ and what their validations said while they trained.

    python tools/compare_runs.py work_dirs/a work_dirs/b -o docs/tried.md --title 'Teacher mode'

For finding out what a setting does, on a validation list; the results that count are those of
tools/results_table.py. A run folder is what tools/train.py leaves. The settings are compared as
they were dumped, command-line overrides included. The table replaces the one of the same title in
the Markdown file, or is put at its end.
"""

from __future__ import annotations

import json
import os.path as osp
from glob import glob

from mmengine.config import Config

from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.settings import flatten

IGNORED = ('work_dir', 'experiment_name', 'launcher', 'resume', 'load_from', 'log_level')


def read_run(folder: str) -> dict:
    """Settings by dotted key, and validations by iteration.

    Raises:
        UserError: The folder holds no run, or one that was never validated.
    """
    configs = glob(osp.join(folder, '*.py'))
    if not configs or not osp.isfile(osp.join(folder, 'run_info.json')):
        raise UserError(f'{folder} is no folder of a run: give what --work-dir named')
    with open(osp.join(folder, 'run_info.json')) as file:
        info = json.load(file)
    validations: dict[int, dict[str, float]] = {}
    for path in sorted(glob(osp.join(folder, '*', 'vis_data', 'scalars.json'))):
        with open(path) as file:
            for entry in map(json.loads, file):
                found = {k: v for k, v in entry.items() if k.endswith('/mIoU')}
                if found:
                    validations[entry['step']] = found
    if not validations:
        raise UserError(f'{folder} was never validated: train with a val_interval')
    settings = flatten(Config.fromfile(configs[0], import_custom_modules=False).to_dict())
    return dict(name=osp.basename(osp.normpath(folder)), info=info, settings=settings) | dict(
        validations=validations
    )


def differences(runs: list[dict]) -> list[str]:
    """Keys of the settings in which the runs are not alike."""
    keys = sorted({key for run in runs for key in run['settings']})
    return [
        key
        for key in keys
        if key.split('.')[0] not in IGNORED and len({run['settings'].get(key) for run in runs}) > 1
    ]


def to_markdown(runs: list[dict], title: str) -> str:
    """The comparison as a Markdown section."""
    keys = differences(runs)
    steps = sorted({step for run in runs for step in run['validations']})
    info = runs[0]['info']
    head = [
        f'## {title}',
        '',
        f'Validation mIoU (teacher / student / friend, as far as there are) by iteration; '
        f'{info["lists"]["labelled"]["images"]} labelled images '
        f'(`{info["lists"]["labelled"]["ann_file"]}`).',
        '',
    ]
    columns = ['run', *(f'`{key}`' for key in keys), 'seed', *map(str, steps), 'commit']
    rows = []
    for run in runs:
        cells = [run['settings'].get(key, '–') for key in keys]
        scores = [_scores(run['validations'].get(step)) for step in steps]
        commit = run['info']['commit'] or 'unknown'
        rows.append([run['name'], *cells, str(run['info']['seed']), *scores, commit])
    lines = [columns, ['---'] * len(columns), *rows]
    return '\n'.join([*head, *('| ' + ' | '.join(line) + ' |' for line in lines), ''])


def _scores(validation: dict[str, float] | None) -> str:
    if validation is None:
        return '–'
    names = [f'{name}/mIoU' for name in ('teacher', 'student', 'friend')]
    return ' / '.join(f'{validation[name]:.1f}' for name in names if name in validation)


def replace_section(text: str, section: str) -> str:
    """Puts a section in the place of the one of its title, or at the end."""
    title = section.splitlines()[0]
    parts = text.rstrip('\n').split('\n## ')
    for i, part in enumerate(parts[1:], start=1):
        if part.splitlines()[0] == title[len('## ') :]:
            parts[i] = section[len('## ') :].rstrip('\n') + '\n'
            return '\n## '.join(parts).rstrip('\n') + '\n'
    return text.rstrip('\n') + '\n\n' + section


def main(argv: list[str] | None = None) -> str:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.add_argument('runs', nargs='+', metavar='RUN_DIR', help='run folders')
    parser.add_argument('--title', required=True, help='heading of the table')
    parser.share('--out', help='Markdown file (the table is only printed)')
    args = parser.parse_args(argv)
    section = to_markdown([read_run(folder) for folder in args.runs], args.title)
    print(section)
    if args.out:
        text = '# What was tried\n'
        if osp.isfile(args.out):
            with open(args.out) as file:
                text = file.read()
        with open(args.out, 'w') as file:
            file.write(replace_section(text, section))
    return section


if __name__ == '__main__':
    run_tool(main)
