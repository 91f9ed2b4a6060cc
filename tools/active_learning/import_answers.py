"""Turns the export of an annotation tool into the answers that a run waits for.

    python tools/active_learning/import_answers.py work_dirs/<run> export.zip --format cvat
    python tools/active_learning/import_answers.py work_dirs/<run> export.json --format label_studio
    python tools/active_learning/import_answers.py work_dirs/<run>/annotation/round_000 \\
        instances_default.json --format coco

Only labels inside of the request become answers; the others are dropped and counted. The command
lists what is missing, which can be imported later. Repeating an import changes nothing; replacing
an answer needs --overwrite. Start the training with --resume afterwards.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmseg_tsf.active_learning import EXCHANGE_FORMATS
from mmseg_tsf.active_learning.exchange.answers import (
    ImportSummary,
    describe_void,
    write_answers,
)
from mmseg_tsf.active_learning.exchange.label_set import LabelSet
from mmseg_tsf.active_learning.exchange.request import read_request
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import some_of


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument(
        'source', type=Path, help='folder of a run, or of a round in an annotation folder'
    )
    parser.add_argument('export', type=Path, help='file or folder exported by the annotation tool')
    parser.add_argument(
        '--format', required=True, choices=EXCHANGE_FORMATS.module_dict, help='exchange format'
    )
    parser.add_argument('--round', type=int, help='number of the round (the one that waits)')
    parser.add_argument('--overwrite', action='store_true', help='replace answers that differ')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> ImportSummary:
    """Entry point."""
    args = parse_args(argv)
    request = read_request(args.source, args.round)
    exchange_format = EXCHANGE_FORMATS.build(dict(type=args.format))
    labels = LabelSet(request.classes)
    found = exchange_format.read(ToolExport(args.export), request, labels)
    summary = write_answers(found, request, request.answers, args.overwrite)
    for line in describe(summary, request.answers, len(request.images)):
        print(line)
    return summary


def describe(summary: ImportSummary, folder: Path, num: int) -> list[str]:
    """Sentences on what was imported and what is missing.

    Args:
        summary: Result of the import.
        folder: Folder of the answers.
        num: Number of images in the request.
    """
    lines = [
        f'{folder}: {len(summary.written)} answers written, {len(summary.replaced)} replaced, '
        f'{len(summary.kept)} unchanged'
    ]
    if summary.dropped or summary.foreign:
        lines.append(
            f'dropped, because not requested: {summary.dropped:,} labelled pixels and '
            f'{summary.foreign} images or files'
        )
    for kind, count in sorted(summary.unread.items()):
        lines.append(f'ignored: {count} shapes of the kind {kind}')
    if summary.unlabelled:
        pixels = sum(summary.unlabelled.values())
        lines.append(
            f'{pixels:,} requested pixels of {len(summary.unlabelled)} images have no label '
            f'({some_of(summary.unlabelled)}): they will be charged as "cannot be said", unless '
            'they are labelled and imported with --overwrite before the training is resumed'
        )
    lines += describe_void(summary.said)
    if summary.missing:
        lines.append(
            f'{len(summary.missing)} of {num} images are not answered ({some_of(summary.missing)})'
        )
    return lines


if __name__ == '__main__':
    run_tool(main)
