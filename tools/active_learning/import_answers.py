"""Turns what an annotation tool has exported into the answers that a run waits for.

    python tools/active_learning/import_answers.py work_dirs/<run> export.zip --format cvat
    python tools/active_learning/import_answers.py work_dirs/<run> export.json --format label_studio
    python tools/active_learning/import_answers.py work_dirs/<run>/annotation/round_000 \\
        instances_default.json --format coco

Only what was asked becomes an answer; the rest is dropped and counted. What is missing is named,
and can be imported later. Doing it again changes nothing; another answer than one that is there
needs --overwrite. Start the training with --resume afterwards.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmseg_tsf.active_learning.exchange import FORMATS
from mmseg_tsf.active_learning.exchange.answers import Summary, write_answers
from mmseg_tsf.active_learning.exchange.export_file import Exported
from mmseg_tsf.active_learning.exchange.label_set import LabelSet
from mmseg_tsf.active_learning.exchange.request import read_request
from mmseg_tsf.utils.cli import run_tool
from mmseg_tsf.utils.errors import UserError


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'source', type=Path, help='folder of a run, or of a round that was written for people'
    )
    parser.add_argument('export', type=Path, help='file or folder that the annotation tool wrote')
    parser.add_argument('--format', required=True, choices=FORMATS)
    parser.add_argument('-o', '--out', type=Path, help='the answers/ of the round by default')
    parser.add_argument('--round', type=int, help='the one that waits by default')
    parser.add_argument('--overwrite', action='store_true', help='replace answers that differ')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> Summary:
    """Entry point."""
    args = parse_args(argv)
    request = read_request(args.source, args.round)
    folder = args.out or request.answers
    if folder is None:
        raise UserError(
            f'{args.source} waits for no files (its oracle is not FolderOracle): say with -o where '
            'the answers are to be put'
        )
    read = FORMATS[args.format].read
    found = read(Exported(args.export), request, LabelSet(request.classes))
    summary = write_answers(found, request, folder, args.overwrite)
    for line in describe(summary, folder, len(request.sizes)):
        print(line)
    return summary


def describe(summary: Summary, folder: Path, num: int) -> list[str]:
    """Sentences on what was done and what is missing.

    Args:
        summary: Of the import.
        folder: Of the answers.
        num: Of the images that were asked about.
    """
    lines = [
        f'{folder}: {len(summary.written)} answers written, {len(summary.replaced)} replaced, '
        f'{len(summary.kept)} were there already'
    ]
    if summary.dropped or summary.foreign:
        lines.append(
            f'not asked, and dropped: {summary.dropped:,} labelled pixels and {summary.foreign} '
            'images or files'
        )
    for kind, count in sorted(summary.unread.items()):
        lines.append(f'not read: {count} shapes of the kind {kind}')
    if summary.unsaid:
        pixels = sum(summary.unsaid.values())
        lines.append(
            f'{pixels:,} asked pixels of {len(summary.unsaid)} images have no label '
            f'({_some(summary.unsaid)}): they will be paid as "can not be said", unless they are '
            'labelled and imported with --overwrite before the training goes on'
        )
    if summary.missing:
        lines.append(
            f'{len(summary.missing)} of {num} images are not answered ({_some(summary.missing)})'
        )
    return lines


def _some(names) -> str:
    names = list(names)
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')


if __name__ == '__main__':
    run_tool(main)
