"""Looks at every file of a run's rounds and names what is missing, foreign or altered.

    python tools/active_learning/verify.py work_dirs/<run>

Changes nothing. Exit status 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import sys

from mmseg_tsf.active_learning import RoundStore, verify
from mmseg_tsf.utils.cli import existing_folder
from mmseg_tsf.utils.cli import run_tool


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'work_dir', type=existing_folder, help='folder of a run that is not running'
    )
    args = parser.parse_args(argv)
    store = RoundStore(args.work_dir / 'rounds')
    problems = verify(store)
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print(f'{store.root}: {len(store.numbers())} rounds, every file as it was written')


if __name__ == '__main__':
    run_tool(main)
