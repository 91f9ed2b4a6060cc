"""Compares runs: the settings in which they differ and their validations during training.

    python tools/compare_runs.py work_dirs/a work_dirs/b -o docs/tried.md --title 'Teacher mode'

The tool serves to study a setting on a validation list; tools/results_table.py writes the final
results. A run folder is the --work-dir of tools/train.py. The dumped settings are compared,
command-line overrides included. The table replaces the one with the same title in the Markdown
file, or is appended to the file.
"""

from __future__ import annotations

from pathlib import Path

from mmseg_tsf.reporting.run_reader import read_config, read_info, read_scalars
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.markdown import table_lines
from mmseg_tsf.utils.settings import flatten

IGNORED = ('work_dir', 'experiment_name', 'launcher', 'resume', 'load_from', 'log_level')


def read_run(folder: Path) -> dict:
    """Record of a run with its settings by dotted key and its validations by iteration.

    Raises:
        UserError: If the folder does not hold a run, or the run was never validated.
    """
    info = read_info(folder)
    cfg = read_config(folder, info['config'])
    if cfg is None:
        raise UserError(f'{folder} does not hold the config of its run: copy it from there')
    keys = [f'{name}/mIoU' for name in info['networks']]
    found = ((entry['step'], [entry.get(key) for key in keys]) for entry in read_scalars(folder)[1])
    validations = {step: scores for step, scores in found if any(s is not None for s in scores)}
    if not validations:
        raise UserError(f'{folder} was never validated: train with a val_interval')
    settings = flatten(cfg.to_dict())
    name = folder.resolve().name
    return dict(name=name, info=info, settings=settings, validations=validations)


def differences(runs: list[dict]) -> list[str]:
    """Keys of the settings in which the runs differ."""
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
    networks = dict.fromkeys(' / '.join(run['info']['networks']) for run in runs)
    head = [
        f'## {title}',
        '',
        f'Validation mIoU ({"; ".join(networks)}) by iteration; '
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
    return '\n'.join([*head, *table_lines(columns, rows), ''])


def _scores(scores: list[float | None] | None) -> str:
    if scores is None:
        return '–'
    return ' / '.join('–' if score is None else f'{score:.1f}' for score in scores)


def replace_section(text: str, section: str) -> str:
    """Replaces the section with the same title, or appends the section."""
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
    parser.add_argument('runs', nargs='+', type=Path, metavar='RUN_DIR', help='run folders')
    parser.add_argument('--title', required=True, help='heading of the table')
    parser.share('--out', help='Markdown file (the table is only printed)')
    args = parser.parse_args(argv)
    section = to_markdown([read_run(folder) for folder in args.runs], args.title)
    print(section)
    if args.out:
        text = args.out.read_text() if args.out.is_file() else '# What was tried\n'
        args.out.write_text(replace_section(text, section))
    return section


if __name__ == '__main__':
    run_tool(main)
