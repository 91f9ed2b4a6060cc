"""Writes the request that a run waits for as a package for an annotation tool.

    python tools/active_learning/export_requests.py work_dirs/<run> --format cvat -o round_0
    python tools/active_learning/export_requests.py work_dirs/<run> --format label_studio -o round_0
    python tools/active_learning/export_requests.py work_dirs/<run>/annotation/round_000 \\
        --format coco -o round_0 --join 4 --min-pixels 20

The package holds the images, the request as outlined regions and single pixels, the predictions of
the network, previews, and a README.txt with instructions. import_answers.py reads the export of the
tool. The folder of the run is not changed.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from mmseg_tsf.active_learning import EXCHANGE_FORMATS
from mmseg_tsf.active_learning.exchange.package import export_request
from mmseg_tsf.active_learning.exchange.request import read_request
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.progress import track


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument(
        'source', type=Path, help='folder of a run, or of a round in an annotation folder'
    )
    parser.add_argument(
        '--format', required=True, choices=EXCHANGE_FORMATS.module_dict, help='exchange format'
    )
    parser.share('--out', required=True, help='folder to write; must not exist')
    parser.add_argument('--round', type=int, help='number of the round (the one that waits)')
    humane = parser.add_argument_group('what the annotators see')
    humane.add_argument(
        '--join', type=_amount, default=0, metavar='PIXELS',
        help='merge requested areas with gaps of up to this many pixels (%(default)s)',
    )  # fmt: skip
    humane.add_argument(
        '--min-pixels', type=_amount, default=1, metavar='PIXELS',
        help='leave out areas with fewer requested pixels; they stay unlabelled (%(default)s)',
    )  # fmt: skip
    humane.add_argument(
        '--no-prelabels', action='store_true', help='leave out the predictions of the network'
    )
    humane.add_argument('--image-url', help='label_studio: URL of the folder of the images')
    args = parser.parse_args(argv)
    if args.image_url and args.format != 'label_studio':
        parser.error('--image-url is for --format label_studio')
    return args


def main(argv: list[str] | None = None) -> dict:
    """Entry point; returns the package's manifest."""
    args = parse_args(argv)
    request = read_request(args.source, args.round)
    exchange_format = dict(type=args.format)
    if args.image_url:
        exchange_format['image_url'] = args.image_url
    manifest = export_request(
        request,
        args.out,
        exchange_format,
        join=args.join,
        min_pixels=args.min_pixels,
        prelabels=not args.no_prelabels,
        track=partial(track, title='packing', total=len(request.images)),
    )
    total = manifest['total']
    print(
        f'{args.out}: round {request.number}, {total["images"]} images, {total["regions"]} regions '
        f'and {total["points"]} single pixels with {total["pixels"]:,} requested pixels, about '
        f'{total["clicks"]:,} clicks; continue with {args.out / "README.txt"}'
    )
    if total['left_out']:
        print(
            f'{total["left_out"]:,} requested pixels lie in islands of fewer than '
            f'{args.min_pixels} pixels and are not shown: they are charged, but stay without a '
            'label'
        )
    return manifest


def _amount(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{value} is negative')
    return value


if __name__ == '__main__':
    run_tool(main)
