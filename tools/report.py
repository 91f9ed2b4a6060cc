"""Writes the report of a run as an HTML page that works offline.

    python tools/report.py work_dirs/<run>
    python tools/report.py work_dirs/<run> -o report --compare work_dirs/<other> work_dirs/<full>

The page shows the settings of the run, mIoU against the spent budget, the IoU of each class by
round, how the budget was spent, what the refinement decided, losses, speed, and a gallery of images
with pseudo-labels, requests and answers of every round. Runs given by --compare are drawn as curves
(one curve with deviations for all seeds of a config) or, without rounds, as a level. With
ReportHook in custom_hooks a training updates the page after every round and saves the pseudo-labels
of each query for the gallery.
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
