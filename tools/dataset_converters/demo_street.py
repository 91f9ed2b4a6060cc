"""Generate the demo data set.

    python tools/dataset_converters/demo_street.py data/demo_street

Writes pictures, masks and split lists; the same arguments give the same files.
"""

from __future__ import annotations

import argparse

from mmseg_tsf.demo.data_set import generate
from mmseg_tsf.utils.cli import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', help='folder to write into')
    parser.add_argument('--train', type=int, default=160, help='training pictures (160)')
    parser.add_argument('--val', type=int, default=40, help='validation pictures (40)')
    parser.add_argument('--labelled', type=int, default=10, help='labelled pictures (10)')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(96, 128),
        metavar=('HEIGHT', 'WIDTH'),
        help='of a picture (96 128)',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the pictures (0)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write the data set and say where it is."""
    args = parse_args(argv)
    generate(args.root, args.train, args.val, tuple(args.size), args.seed, args.labelled)
    print(f'{args.train} training and {args.val} validation pictures in {args.root}')


if __name__ == '__main__':
    run_tool(main)
