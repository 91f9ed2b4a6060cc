"""Writes the results of the other benchmarks into a page of the documentation.

    python tools/benchmark/speed_table.py step.json plar.json -o docs/speed.md
    python tools/benchmark/speed_table.py pool.json pool_labelled.json

The arguments are JSON files written by step_time.py, plar.py and pool_pass.py. The tables replace
the text between two markers of the page (one pair for step_time.py and plar.py, one for
pool_pass.py); its other text is kept.
"""

from __future__ import annotations

from pathlib import Path

from mmseg_tsf.reporting.run_reader import read_json
from mmseg_tsf.utils.cli import ToolParser, existing_file, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.markdown import table_lines, write_between_markers

STEP = {
    'step_time': 's / step',
    'floor_time': 's, floor',
    'ratio_to_floor': 'step / floor',
    'ratio_to_composed': 'step / composed',
    'network_calls': 'network calls',
    'loader_time': 's, loader',
    'peak_memory_mib': 'peak MiB',
}
"""Columns of the table of training steps, by the keys of step_time.py."""
PLAR = {
    'plar_time': 's, paper',
    'ratio_to_gemm': 'paper / products',
    'speedup': 'reference / paper',
    'default_time': 's, default',
    'default_ratio_to_gemm': 'default / products',
    'memory_ratio': 'peak memory / features',
}
"""Columns of the table of refinements, by the keys of plar.py."""
WHERE = {'device': 'device', 'threads': 'threads', 'torch': 'torch', 'commit': 'commit'}


def step_table(results: list[dict]) -> list[str]:
    """Formats the results of step_time.py as Markdown."""
    rows = []
    for own in results:
        against = own.get('against') or {}
        ratio = against.get('ratio_by_floors', against.get('ratio'))
        other = f'{ratio:.3f} of `{short(against["config"])}`' if against else '–'
        rows.append([f'`{short(own["config"])}`', *cells(own, STEP), other, *cells(own, WHERE)])
    return table_lines(['config', *STEP.values(), 'against', *WHERE.values()], rows)


def plar_tables(results: list[dict]) -> list[str]:
    """Markdown of plar.py's results: times of the refinement and their growth with the input."""
    lines, rows = [], []
    for own in results:
        case = f'{own["grid"][0]}x{own["grid"][1]}, {own["classes"]} classes'
        case += f', {own["channels"]} channels twice, {own["flagged"]} flagged'
        rows.append([case, *cells(own, PLAR), *cells(own, WHERE)])
    lines += table_lines(['grid', *PLAR.values(), *WHERE.values()], rows)
    for own in results:
        for name, points in own['scaling'].items():
            amount, seconds = points[0][name], points[0]['seconds']
            body = []
            for point in points:
                growth = [f'{point[name] / amount:.1f}', f'{point["seconds"] / seconds:.1f}']
                body.append([str(point[name]), f'{point["seconds"]:.4f}', *growth])
            head = [f'{name} ({own["device"]})', 's, paper', f'times the {name}', 'times the time']
            lines += ['', *table_lines(head, body)]
    return lines


def pool_tables(results: list[dict]) -> list[str]:
    """Markdown of pool_pass.py's results: times of the pass and memory of the selection.

    Measurements that differ in the share of labelled pixels alone are columns of one table.
    """
    lines, groups = [], {}
    for own in results:
        image = '{}x{}, {} classes'.format(*own['size'], own['classes'])
        image += f', blocks of {own["block"]}, {100 * own["flagged"]:g} % flagged'
        where = 'batches of {}, on {}, {} threads, torch {}, commit {}'.format(
            own['batch_size'], *cells(own, WHERE)
        )
        groups.setdefault(f'{image}; {where}', []).append(own)
    for title, group in groups.items():
        suffix = '_ratio_to_predict'
        names = dict.fromkeys(k.removesuffix(suffix) for o in group for k in o if suffix in k)
        head = [f'{100 * own["labelled"]:g} % labelled' for own in group]
        body = [['s / image, predict', *(f'{own["predict_time"]:.3f}' for own in group)]]
        body += [[n, *(c for o in group for c in cells(o, {n + suffix: n}))] for n in names]
        lines += [f'Images of {title}:', '', *table_lines(['strategy', *head], body), '']
    pools = [pool for own in results for pool in own['pools']]
    head = ['images in the pool', 'asked', 'peak MiB', 'microseconds an image']
    form = '{images:,}|{asked:,}|{peak_memory_mib:.1f}|{microseconds_per_image:.0f}'
    body = [form.format(**pool).split('|') for pool in pools]
    return [*lines, *table_lines(head, body)] if pools else lines[:-1]


def cells(result: dict, columns: dict[str, str]) -> list[str]:
    """Text of some figures; a dash for a figure that was not measured."""
    found = (result.get(key) for key in columns)
    return [
        '–' if value is None else f'{value:.3f}' if isinstance(value, float) else str(value)
        for value in found
    ]


def short(config: str) -> str:
    """Name of a config without folder and suffix."""
    return Path(config).stem


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.add_argument(
        'results', nargs='+', type=existing_file, help='JSON files of the other benchmarks'
    )
    parser.share('--out', default='docs/speed.md', help='page to update (%(default)s)')
    args = parser.parse_args(argv)
    results = {path: read_json(Path(path), 'leave it out') for path in args.results}
    steps = [own for own in results.values() if 'step_time' in own]
    refinements = [own for own in results.values() if {'plar_time', 'grid'} <= own.keys()]
    passes = [own for own in results.values() if {'predict_time', 'flagged'} <= own.keys()]
    for path, own in results.items():
        if not any(own in group for group in (steps, refinements, passes)):
            raise UserError(
                f'{path} was not written by step_time.py, plar.py or pool_pass.py: leave it out'
            )
    lines = step_table(steps) if steps else []
    lines += ['', *plar_tables(refinements)] if refinements else []
    if lines:
        write_between_markers(args.out, 'speed', '\n'.join(lines) + '\n')
    if passes:
        write_between_markers(args.out, 'pool', '\n'.join(pool_tables(passes)) + '\n')
    print(f'{len(results)} results: {args.out}')


if __name__ == '__main__':
    run_tool(main)
