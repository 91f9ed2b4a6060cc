"""Writes a page about a run that opens in any browser, without a network connection.

    python tools/report.py work_dirs/<run>
    python tools/report.py work_dirs/<run> -o report --compare work_dirs/<other> work_dirs/<full>

The page shows the settings of the run, mIoU against label spend, IoU of each class by round, the
use of the budget, the decisions of the refinement, losses and speed, and images of every round with
predictions, request and answer. Runs to compare with are drawn as curves (the seeds of one config
as one curve, with deviations) or, without rounds, as a level. With ReportHook in custom_hooks the
page is updated after every round and shows the predictions at each query.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmseg_tsf.reporting.page import GALLERY, write_report
from mmseg_tsf.utils.cli import ToolParser, run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.share('work_dir').share('--out', help='folder of the page (WORK_DIR/report)')
    parser.add_argument(
        '--compare', nargs='+', default=[], type=Path, metavar='RUN', help='folders of other runs'
    )
    parser.add_argument(
        '--gallery',
        type=int,
        default=GALLERY,
        help='number of images of a round (%(default)s)',
    )
    parser.add_argument(
        '--safe-palette',
        action='store_true',
        help='open the page with colours for colour-blind readers',
    )
    args = parser.parse_args(argv)
    if args.gallery < 0:
        parser.error(f'--gallery {args.gallery} must be at least 0')
    return args


def main(argv: list[str] | None = None) -> Path:
    """Entry point."""
    args = parse_args(argv)
    palette = 'safe' if args.safe_palette else 'own'
    path = write_report(args.work_dir, args.out, args.compare, args.gallery, palette)
    files = [file for file in path.parent.rglob('*') if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 2**20
    print(f'{path} ({len(files)} files, {size:.1f} MiB)')
    return path


if __name__ == '__main__':
    run_tool(main)
