"""Compares query strategies: trains every config with every seed and writes tables of the results.

    python tools/active_learning/compare.py configs/active_learning/*_steel_*.py \\
        --seeds 0,1,2,3 --work-dir work_dirs/steel
    python tools/active_learning/compare.py --table-only --work-dir work_dirs/steel

Each run is a process of its own in DIR/<config>/seed_<n>. The same command goes on with a grid that
was ended: finished runs are skipped, the others are resumed. Runs that differ only in what they
ask share the training before the first question (DIR/first_stages). A run that fails is reported
with its log, and the others go on; the exit status is then 2.

The tool writes compare.md, compare.json and compare.png into DIR, from all finished runs there.
Runs with the same data, budget and schedule are compared: mIoU by spend, area under that curve,
differences paired by seed with 95 % intervals, quality of the labels of the pool, and costs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from mmengine.registry import init_default_scope

import mmseg_tsf  # noqa: F401  (registers everything before a config is checked)
from mmseg_tsf.engine.grid.first_stage import FirstStage, adopt, share_first_stages
from mmseg_tsf.engine.grid.jobs import Job, run_jobs
from mmseg_tsf.engine.grid.runs import GridRun, plan_grid
from mmseg_tsf.reporting.comparison import compare_strategies, find_runs, read_compared
from mmseg_tsf.reporting.comparison_tables import title_of, to_markdown
from mmseg_tsf.reporting.drawing.budget_plot import plot_curves, short_names
from mmseg_tsf.reporting.label_quality import has_hidden_masks, read_pool_quality
from mmseg_tsf.utils.cli import ToolParser, existing_file, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.files import write_file
from mmseg_tsf.utils.locks import lock

TOOLS = Path(__file__).parents[1]
say = partial(print, flush=True)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.add_argument(
        'configs', nargs='*', type=existing_file, metavar='CONFIG', help='config with rounds'
    )
    parser.add_argument(
        '--seeds', type=_seeds, default=[0], help='seeds of each config, as in 0,1,2,3 (0)'
    )
    parser.share('--work-dir', type=Path, required=True, metavar='DIR', help='folder of the grid')
    parser.add_argument(
        '--processes', type=_positive, help='number of runs at a time (cores / threads)'
    )
    parser.add_argument(
        '--threads', type=_positive, default=1, help='number of threads of a run (%(default)s)'
    )
    parser.add_argument(
        '--table-only', action='store_true', help='write the tables of what is there, train nothing'
    )
    # as words, because every run gets them
    parser.share('--cfg-options', action='store', default=[])
    args = parser.parse_args(argv)
    if bool(args.configs) == args.table_only:
        parser.error('give configs to train, or --table-only')
    return args


def main(argv: list[str] | None = None) -> list[dict]:
    """Entry point."""
    args = parse_args(argv)
    failed = [] if args.table_only else train_grid(args)
    groups = write_tables(args.work_dir)
    if failed:
        reasons = '; '.join(f'{job.name}: {job.reason}' for job in failed)
        raise UserError(
            f'{len(failed)} jobs failed, start the same command again to go on ({reasons})'
        )
    return groups


def train_grid(args: argparse.Namespace) -> list[Job]:
    """Trains what is unfinished and measures its labels; returns the jobs that failed."""
    init_default_scope('mmseg')
    words = ['--cfg-options', *args.cfg_options] if args.cfg_options else []
    options = ToolParser(None).share('--cfg-options').parse_args(words).cfg_options
    runs = plan_grid([Path(path) for path in args.configs], args.seeds, args.work_dir, options)
    with lock(args.work_dir / '.lock'):
        jobs = plan_jobs(runs, args)
        cores = os.cpu_count() or 1
        processes = args.processes or max(1, cores // args.threads)
        say(f'{len(runs)} runs, {len(jobs)} jobs to do, {processes} at a time')
        return run_jobs(jobs, processes, args.threads, say)


def plan_jobs(runs: list[GridRun], args: argparse.Namespace) -> list[Job]:
    """Trainings of first stages, of runs, and measurements of labels."""
    unfinished = [run for run in runs if not run.finished]
    stages = share_first_stages(unfinished, args.work_dir)
    first = {run.folder: stage for stage in stages for run in stage.runs}
    by_stage = {stage.folder: _first_job(stage, args) for stage in stages if not stage.finished}
    masked = {run.config: has_hidden_masks(run.cfg) for run in runs}
    jobs, measurements = list(by_stage.values()), []
    for run in runs:
        training = None
        if run in unfinished:
            stage = first.get(run.folder)
            say(f'{run.name}: {_origin(run, stage)}')
            training = _run_job(run, stage, by_stage, args)
            jobs.append(training)
        if masked[run.config] and (training or read_pool_quality(run.folder) is None):
            measurements.append(_measurement(run, training))
    return [*jobs, *measurements]


def _origin(run: GridRun, stage: FirstStage | None) -> str:
    if run.begun:
        return 'is resumed'
    if stage is None:
        return 'trains alone, no other new run shares its settings before the first question'
    return f'begins with {stage.folder}, which {len(stage.runs)} configs share'


def _first_job(stage: FirstStage, args: argparse.Namespace) -> Job:
    run, more = stage.runs[0], ['train_cfg.type=FirstStageLoop']
    command = _train_command(run, stage.folder, args, more)
    return Job(stage.name, command, stage.folder / 'output.txt', lambda: stage.finished)


def _run_job(
    run: GridRun, stage: FirstStage | None, by_stage: dict[Path, Job], args: argparse.Namespace
) -> Job:
    job = Job(
        run.name,
        _train_command(run, run.folder, args),
        run.folder / 'output.txt',
        lambda: run.finished,
    )
    if stage is not None:
        job.needs, job.prepare = by_stage.get(stage.folder), partial(adopt, stage, run)
    return job


def _measurement(run: GridRun, training: Job | None) -> Job:
    tool = TOOLS / 'analysis/label_quality.py'
    return Job(
        f'labels of {run.name}',
        [sys.executable, str(tool), str(run.folder)],
        run.folder / 'output.txt',
        lambda: read_pool_quality(run.folder) is not None,
        needs=training,
    )


def _train_command(
    run: GridRun, folder: Path, args: argparse.Namespace, more: list[str] | None = None
) -> list[str]:
    command = [sys.executable, str(TOOLS / 'train.py'), str(run.config), '--resume']
    command += ['--work-dir', str(folder), '--cfg-options', *args.cfg_options]
    return [*command, f'randomness.seed={run.seed}', *(more or [])]


def write_tables(work_dir: Path) -> list[dict]:
    """Writes the three files from the finished runs of a grid; returns their groups."""
    done, others = find_runs(work_dir)
    if not done:
        raise UserError(f'{work_dir} holds no finished run: there is nothing to compare')
    groups = compare_strategies([read_compared(folder) for folder in done])
    content = dict(groups=groups, unfinished=list(map(str, others)))
    text = to_markdown(groups, others)
    write_file(work_dir / 'compare.md', text.encode())
    write_file(work_dir / 'compare.json', (json.dumps(content, indent=2) + '\n').encode())
    draw(groups, work_dir / 'compare.png')
    say(text)
    return groups


def draw(groups: list[dict], path: Path) -> None:
    """Writes the curves, one plot for each group."""
    figure = Figure(figsize=(7.5, 5.5 * len(groups)), layout='constrained')
    for axes, group in zip(figure.subplots(len(groups), squeeze=False)[:, 0], groups, strict=True):
        names = short_names([row['name'] for row in group['methods']])[0]
        curves = [
            (f'{name} (n={len(row["seeds"])})', row['curve'])
            for name, row in zip(names, group['methods'], strict=True)
        ]
        plot_curves(axes, curves, group['settings']['axis'], title_of(group))
        axes.legend(fontsize='small')
    figure.savefig(path, dpi=150)


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(',')]
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text} is no list of numbers such as 0,1,2') from None


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} must be at least 1')
    return value


if __name__ == '__main__':
    run_tool(main)
