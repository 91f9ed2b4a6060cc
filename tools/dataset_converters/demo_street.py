"""Generates the demo data set.

    python tools/dataset_converters/demo_street.py data/demo_street

Writes pictures, masks and split lists. The same arguments give the same files.
"""

from __future__ import annotations

import argparse

from mmseg_tsf.demo.data_set import generate
from mmseg_tsf.utils.cli import ToolParser, run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument('root', help='folder to write into')
    parser.add_argument(
        '--train', type=int, default=160, help='number of training pictures (%(default)s)'
    )
    parser.add_argument(
        '--val', type=int, default=40, help='number of validation pictures (%(default)s)'
    )
    parser.add_argument(
        '--labelled', type=int, default=10, help='number of labelled pictures (%(default)s)'
    )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(96, 128),
        metavar=('HEIGHT', 'WIDTH'),
        help='size of a picture (96 128)',
    )
    parser.share('--seed')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Write the data set and say where it is."""
    args = parse_args(argv)
    generate(args.root, args.train, args.val, tuple(args.size), args.seed, args.labelled)
    print(f'{args.train} training and {args.val} validation pictures in {args.root}')


if __name__ == '__main__':
    run_tool(main)
