"""Rebuilds the labels after any round from the stored rounds.

    python tools/active_learning/replay.py work_dirs/<run> --round 3 -o labels_3

Writes a PNG of class ids (255 = no label) for every image with an answer in that round or an
earlier one. The folder of the run is not changed unless ``-o`` names a place in it.
"""

from __future__ import annotations

from pathlib import Path

from mmseg_tsf.active_learning import RoundStore, check_rounds
from mmseg_tsf.active_learning.store.label_png import encode_labels
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError


def replay(store: RoundStore, number: int, out: Path) -> int:
    """Writes the labels after a round; returns how many images have some.

    Args:
        store: The rounds.
        number: Number of the round.
        out: Folder to write; new or empty.

    Raises:
        UserError: The round has no answer, or the folder is a file or not empty.
        StoreError: The rounds are damaged.
    """
    store.campaign()  # raises an error if this is not the folder of a run
    check_rounds(store)
    answered = store.answered()
    if number not in answered:
        last = f'the last one is round {answered[-1]}' if answered else 'there is none yet'
        raise UserError(f'{store.root} has no answer of round {number}: {last}')
    if out.is_file():
        raise UserError(f'{out} is a file: give a folder with -o')
    if out.exists() and any(out.iterdir()):
        raise UserError(f'{out} is not empty: give another folder with -o')
    images = 0
    for image_id, labels in store.fold(number):
        path = out / f'{image_id}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_labels(labels))
        images += 1
    return images


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.share('work_dir').share('--out', help='folder to write (replayed_round_<round>)')
    parser.add_argument('--round', type=int, required=True, help='number of the round, from 0')
    args = parser.parse_args(argv)
    out = args.out or Path(f'replayed_round_{args.round:03d}')
    images = replay(RoundStore(args.work_dir / 'rounds'), args.round, out)
    print(f'{out}: the labels of {images} images after round {args.round}')


if __name__ == '__main__':
    run_tool(main)
