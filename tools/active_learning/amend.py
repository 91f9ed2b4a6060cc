"""Replaces answers of a closed round by corrected ones.

    python tools/active_learning/amend.py work_dirs/<run> --round 0

Correct files in the folder of the round for people (annotation/round_000/answers), by hand or with
import_answers.py --overwrite, then call this. The earlier answers are kept and nothing is charged.
The labels are used from the next round of the run on, or from its next start with --resume.
"""

from __future__ import annotations

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.active_learning.campaign.amending import Amended, amend
from mmseg_tsf.active_learning.campaign.summary import is_finished
from mmseg_tsf.active_learning.exchange.request import read_request
from mmseg_tsf.active_learning.store.round_log import RoundLog
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import some_of


def describe(result: Amended, finished: bool) -> list[str]:
    """Sentences on what was amended and when it is used."""
    pixels, ids = sum(result.images.values()), list(result.images)
    lines = [
        f'round {result.number}: {len(ids)} answers amended ({some_of(ids)}; {pixels:,} pixels '
        f'have another label), {result.unchanged} unchanged; the earlier ones are kept, and '
        'nothing is charged'
    ]
    if result.late:
        lines.append(
            f'not used, because they were not answered when the round was closed and are not paid: '
            f'{len(result.late)} images ({some_of(result.late)})'
        )
    if finished:
        lines.append(
            'the training of this run is finished: replay.py writes the amended labels for a new '
            'one'
        )
    else:
        lines.append(
            'a running training uses them from its next round on, a stopped one from its start '
            'with --resume on'
        )
    return lines


def main(argv: list[str] | None = None) -> Amended:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.share('work_dir')
    parser.add_argument('--round', type=int, required=True, help='number of the round, from 0')
    args = parser.parse_args(argv)
    request = read_request(args.work_dir, args.round)
    result = amend(RoundStore(args.work_dir / 'rounds'), args.round, request.sealed.path)
    log = RoundLog(args.work_dir / 'active_learning.jsonl')
    for line in describe(result, is_finished(log.read())):
        print(line)
    return result


if __name__ == '__main__':
    run_tool(main)
