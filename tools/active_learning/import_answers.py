"""Turns the export of an annotation tool into the answers that a run waits for.

    python tools/active_learning/import_answers.py work_dirs/<run> export.zip --format cvat
    python tools/active_learning/import_answers.py work_dirs/<run> export.json --format label_studio
    python tools/active_learning/import_answers.py work_dirs/<run>/annotation/round_000 \\
        instances_default.json --format coco
    python tools/active_learning/import_answers.py work_dirs/<run> anna.zip ben.zip --format cvat
    python tools/active_learning/import_answers.py work_dirs/<run> export.zip --format cvat --check

Only labels inside of the request become answers; the others are dropped and counted. The command
lists what is missing, which can be imported later. Repeating an import changes nothing; replacing
an answer needs --overwrite. Several exports are the answers of several people to the same request:
each pixel gets the label that most of them gave it. --check lists all faults and writes nothing. An
import without any answer ends with status 2. Start the training with --resume afterwards.
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
from mmseg_tsf.active_learning.exchange.gather import read_exports
from mmseg_tsf.active_learning.exchange.label_set import LabelSet
from mmseg_tsf.active_learning.exchange.readers.values import brief
from mmseg_tsf.active_learning.exchange.request import closed_notice, read_request
from mmseg_tsf.active_learning.exchange.tool_export import ToolExport
from mmseg_tsf.active_learning.exchange.votes import Agreement
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError, some_of

LISTED = 20
"""Number of names that are listed without --check."""


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument(
        'source', type=Path, help='folder of a run, or of a round in an annotation folder'
    )
    parser.add_argument(
        'exports', type=Path, nargs='+', metavar='EXPORT',
        help='file or folder exported by the annotation tool; one for each person',
    )  # fmt: skip
    parser.add_argument(
        '--format', required=True, choices=EXCHANGE_FORMATS.module_dict, help='exchange format'
    )
    parser.add_argument('--round', type=int, help='number of the round (the one that waits)')
    parser.add_argument('--overwrite', action='store_true', help='replace answers that differ')
    parser.add_argument(
        '--check', action='store_true', help='list all faults and what would be written'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> ImportSummary:
    """Entry point."""
    args = parse_args(argv)
    if len({path.resolve() for path in args.exports}) < len(args.exports):
        raise UserError('an export is given twice: give one for each person')
    request = read_request(args.source, args.round)
    exchange_format = EXCHANGE_FORMATS.build(dict(type=args.format))
    labels, agreement = LabelSet(request.classes), Agreement()
    exports = [ToolExport(path) for path in args.exports]
    found = read_exports(exports, exchange_format, request, labels, agreement)
    summary = write_answers(found, request, request.answers, args.overwrite, args.check)
    for line in describe(summary, request.answers, len(request.images), args.check):
        print(line)
    if len(exports) > 1:
        print(describe_agreement(agreement, len(exports)))
    if summary.faults:
        for fault in summary.faults:
            print(f'fault: {fault}')
        raise UserError(f'{len(summary.faults)} faults were found, and nothing was written')
    if not summary.answered:
        raise UserError(explain_nothing(summary, args.exports, list(request.images)))
    notice = closed_notice(args.source, request)
    if notice:
        print(notice)
    return summary


def explain_nothing(summary: ImportSummary, exports: list[Path], asked: list[str]) -> str:
    """Sentence on why an import has no answer."""
    where = some_of(map(str, exports))
    if summary.outside:
        return (
            f'{where}: all labels lie outside of the request (such as those of '
            f'{some_of(summary.outside)}): import what was exported for this round'
        )
    if len(summary.foreign) and not summary.damaged and not summary.unread:
        return (
            f'{where} has no label of a requested image: it names '
            f'{some_of(map(brief, summary.foreign))}, the request {some_of(asked)}; the names of '
            'the images of the package must be kept'
        )
    return f'{where} has no label inside of the request: label it there and export again'


def describe_agreement(agreement: Agreement, num: int) -> str:
    """Sentence on how far several people agree.

    Args:
        agreement: Numbers of pixels.
        num: Number of people.
    """
    if not agreement.compared:
        return f'no requested pixel was labelled by more than one of {num} people'
    share = 100 * agreement.unanimous / agreement.compared
    return (
        f'{num} people agree on {share:.1f} % of the {agreement.compared:,} pixels that several of '
        f'them labelled; {agreement.undecided:,} pixels have no majority: "cannot be said"'
    )


def describe(summary: ImportSummary, folder: Path, num: int, check: bool = False) -> list[str]:
    """Sentences on what was imported and what is missing.

    Args:
        summary: Result of the import.
        folder: Folder of the answers.
        num: Number of images in the request.
        check: Whether nothing was written.
    """
    would = 'would be ' if check else ''
    lines = [
        f'{folder}: {len(summary.written)} answers {would}written, {len(summary.replaced)} '
        f'{would}replaced, {len(summary.kept)} unchanged'
    ]
    if summary.dropped:
        lines.append(f'dropped, because not requested: {summary.dropped:,} labelled pixels')
    if summary.foreign:
        lines.append(f'{len(summary.foreign)} images or files belong to no requested image:')
        lines += [f'  {brief(name)}' for name in summary.foreign[: None if check else LISTED]]
        if len(summary.foreign) > LISTED and not check:
            lines.append('  ... (--check lists all)')
    if summary.outside:
        lines.append(
            f'{len(summary.outside)} images have labels outside of the request only '
            f'({some_of(summary.outside)})'
        )
    for kind, count in sorted(summary.unread.items()):
        lines.append(f'ignored: {count} shapes of the kind {kind}')
    for kind, count in sorted(summary.broken.items()):
        lines.append(f'skipped, because broken: {count} shapes of the kind {kind}')
    if summary.damaged:
        lines.append(
            f'{len(summary.damaged)} images have broken shapes ({some_of(summary.damaged)}): their '
            'pixels have no label from them'
        )
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
