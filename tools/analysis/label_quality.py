"""Measures the labels that a finished run of active learning has of its pool.

    python tools/analysis/label_quality.py work_dirs/<run>

The labels are what people have said where they were asked, and what the last checkpoint believes
elsewhere. They are compared with the masks of the pool, which serve this measurement alone. The
figures are kept as label_quality.json in the folder of the run.
"""

from __future__ import annotations

from functools import partial

import mmseg_tsf  # noqa: F401  (registers everything before the config is built)
from mmseg_tsf.reporting.label_quality import measure_pool_labels, read_pool_quality
from mmseg_tsf.utils.cli import ToolParser, existing_folder, run_tool
from mmseg_tsf.utils.progress import track


def main(argv: list[str] | None = None) -> dict:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.share('work_dir', type=existing_folder)
    args = parser.parse_args(argv)
    found = read_pool_quality(args.work_dir)
    if found is None:
        found = measure_pool_labels(args.work_dir, partial(track, title='measuring'))
    for name, value in found.items():
        print(f'{name:18} {value:.2f}' if isinstance(value, float) else f'{name:18} {value}')
    return found


if __name__ == '__main__':
    run_tool(main)
