"""Checks every file of the rounds of a run and lists missing, foreign and altered ones.

    python tools/active_learning/verify.py work_dirs/<run>

Changes nothing. The exit status is 1 if there is a problem.
"""

from __future__ import annotations

import sys

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.utils.cli import ToolParser, existing_folder, run_tool


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.share('work_dir', type=existing_folder, help='folder of a run that is not running')
    args = parser.parse_args(argv)
    store = RoundStore(args.work_dir / 'rounds')
    problems = verify(store)
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print(f'{store.root}: {len(store.numbers())} rounds, all files intact')


if __name__ == '__main__':
    run_tool(main)
