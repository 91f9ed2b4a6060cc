"""Draws the mIoU of active-learning runs against the spent budget, averaged over seeds.

    python tools/active_learning/curves.py work_dirs/al-* -o docs/curves --full work_dirs/full

Runs with the same config and settings are seeds of one curve, which shows the mean and the sample
deviation of each round. The tool writes curves.png, curves.json and curves.md. The tables hold the
last score, the area under the budget curve (AUBC, divided by the range of spend) and, with
``--full``, the share of the fully supervised score and the spend at which a share of it is reached.
Scores are the mIoU in percent of the network that predicts by default, validated before each query.
"""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

from mmseg_tsf.reporting.budget_curves import group_curves, read_curves, read_full
from mmseg_tsf.reporting.drawing.budget_plot import plot_curves, short_names
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.markdown import table_lines

RUN_HELP = 'folder of a run, or an earlier curves.json, which stands for the runs in it'


def draw(groups: list[dict], full: float | None, share: float, path: Path) -> None:
    """Writes ``curves.png``: means as lines, sample deviations as error bars."""
    names, common = short_names([group['name'] for group in groups])
    # the figure grows with the legend so that the axes keep their height
    figure = Figure(figsize=(8, 4.5 + 0.22 * -(-len(groups) // 2)), layout='constrained')
    axes = figure.subplots()
    labels = [f'{name} (n={len(g["runs"])})' for name, g in zip(names, groups, strict=True)]
    curves = [group['curve'] for group in groups]
    axis = groups[0]['runs'][0]['axis']
    plot_curves(axes, list(zip(labels, curves, strict=True)), axis, common)
    if full is not None:
        axes.axhline(full, color='0.3', linestyle='-', linewidth=1, label='fully supervised')
        label = f'{100 * share:g} % of it'
        axes.axhline(share * full, color='0.3', linestyle=':', linewidth=1, label=label)
    figure.legend(loc='outside lower center', fontsize='small', ncols=2)
    figure.savefig(path, dpi=150)


def to_markdown(groups: list[dict], full: float | None, share: float) -> str:
    """Markdown of ``curves.md``."""
    axis = groups[0]['runs'][0]['axis']
    head = ['config', 'seeds', f'spent ({axis})', 'last mIoU', 'AUBC']
    if full is not None:
        head += ['% of full', f'spent for {100 * share:g} %']
    rows = []
    for group in groups:
        first, last = group['curve'][0]['spend'], group['curve'][-1]['spend']
        seeds = ', '.join(str(run['seed']) for run in group['runs'])
        row = [group['name'], seeds, f'{first:.4g} – {last:.4g}']
        row += [_text(group['final']), _text(group['aubc'])]
        if full is not None:
            row += [_text(group['share_of_full'], 100), _reached(group)]
        rows.append(row)
    note = f'Fully supervised: {full:.2f}. ' if full is not None else ''
    parts = [
        '# Label efficiency',
        '',
        f'{note}mIoU in percent before each query, mean ± sample deviation over seeds. AUBC is the '
        'area under a curve divided by its own range of spend: compare it between equal ranges '
        'only. ≤: a seed had reached the score before its first query. Runs that continue from '
        "their own weights (`start='continue'`) have also trained longer at their later points.",
        '',
        *table_lines(head, rows),
    ]
    parts += [line for group in groups for line in _behind(group)]
    for group in groups:
        cells = [[f'{p["spend"]:.4g}', _text(p), str(p['n'])] for p in group['curve']]
        parts += [
            '',
            f'## {group["name"]}',
            '',
            *table_lines([f'spent ({axis})', 'mIoU', 'n'], cells),
        ]
    return '\n'.join(parts) + '\n'


def _behind(group: dict) -> list[str]:
    """Notes which rounds the figures cover if some seeds have held fewer rounds than others."""
    last = max(group['last_rounds'])
    behind = [
        f'seed {run["seed"]} has reached round {number}'
        for run, number in zip(group['runs'], group['last_rounds'], strict=True)
        if number < last
    ]
    if not behind:
        return []
    return [
        '',
        f'{group["name"]}: {", ".join(behind)} of {last}; its figures cover the rounds that all '
        'seeds have held.',
    ]


def _text(value: dict, factor: float = 1) -> str:
    sd = '' if value['sd'] is None else f' ± {factor * value["sd"]:.2f}'
    return f'{factor * value["mean"]:.2f}{sd}'


def _reached(group: dict) -> str:
    if group['spend_to_reach']:
        most = '≤ ' if group.get('at_start') else ''  # a seed had reached it before its first query
        return most + _text(group['spend_to_reach'])
    return f'reached by {group["reached"]} of {len(group["runs"])}'


def main(argv: list[str] | None = None) -> list[dict]:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.add_argument('runs', nargs='+', type=Path, metavar='RUN', help=RUN_HELP)
    parser.share('--out', default=Path('.'), help='folder for the files (%(default)s)')
    parser.add_argument(
        '--full',
        action='append',
        default=[],
        metavar='RUN_OR_NUMBER',
        help='fully supervised run or its mIoU in percent; once for each seed',
    )
    parser.add_argument(
        '--share',
        type=float,
        default=0.95,
        help='share of the fully supervised mIoU to be reached (%(default)s)',
    )
    args = parser.parse_args(argv)
    full = read_full(args.full)
    runs = [run for path in args.runs for run in read_curves(path)]
    groups = group_curves(runs, full, args.share)
    args.out.mkdir(parents=True, exist_ok=True)
    draw(groups, full, args.share, args.out / 'curves.png')
    result = dict(full=full, share=args.share, groups=groups)
    (args.out / 'curves.json').write_text(json.dumps(result, indent=2) + '\n')
    text = to_markdown(groups, full, args.share)
    (args.out / 'curves.md').write_text(text)
    print(text)
    return groups


if __name__ == '__main__':
    run_tool(main)
