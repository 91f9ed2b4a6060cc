"""Turns the request that a run waits for into a package for an annotation tool.

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
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.progress import track


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', type=Path, help='folder of a run, or of a round that was written for people'
    )
    parser.add_argument('--format', required=True, choices=EXCHANGE_FORMATS.module_dict)
    parser.add_argument('-o', '--out', required=True, type=Path, help='folder that is made')
    parser.add_argument('--round', type=int, help='the one that waits by default')
    humane = parser.add_argument_group('what people are shown')
    humane.add_argument(
        '--join', type=_amount, default=0, metavar='PIXELS',
        help='show islands with gaps of up to so many rows or columns as one (0: as they are)',
    )  # fmt: skip
    humane.add_argument(
        '--min-pixels', type=_amount, default=1, metavar='PIXELS',
        help='leave out islands with fewer asked pixels; they stay without a label',
    )  # fmt: skip
    humane.add_argument(
        '--no-prelabels', action='store_true', help='do not show what the network believes'
    )
    humane.add_argument(
        '--image-url', help='label_studio: what stands before the names of images in their address'
    )
    images = parser.add_argument_group('where the images are, if nothing was written for people')
    images.add_argument('--image-dir', type=Path, help='folder of the images of the pool')
    images.add_argument('--suffix', default='.png', help='ending of their names')
    args = parser.parse_args(argv)
    if args.image_url and args.format != 'label_studio':
        parser.error('--image-url is for --format label_studio')
    return args


def main(argv: list[str] | None = None) -> dict:
    """Entry point; returns the package's manifest."""
    args = parse_args(argv)
    request = read_request(args.source, args.round, args.image_dir, args.suffix)
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
        raise argparse.ArgumentTypeError(f'{value} is below 0')
    return value


if __name__ == '__main__':
    run_tool(main)
