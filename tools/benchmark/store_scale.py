"""Times what a round costs beside training and labelling when a campaign has grown large.

    python tools/benchmark/store_scale.py --images 200000 --rounds 100 --work-dir work_dirs/scale

Writes rounds of 8x8 masks that share the images evenly (each asks a tenth of the images of the
round before once more), and times

* ``fold``: bringing the labels for the training up to date after each of the last three rounds;
* ``fold_anew``: making them when they are lost, and ``fold_check``: checking them at a start;
* ``index``: listing all rounds, once in a pass over the pool, and what it then takes to look up an
  image without and with answers, in microseconds;
* ``check_rounds``: checking every file at the start of a run;
* ``export_listing``: finding the image files of a request of all images for an export.

Each time is given by the clock and of the processor, which other work does not lengthen. Nothing is
synced while the rounds are written. The folder is deleted afterwards.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

from mmseg_tsf.active_learning import RoundStore, check_rounds
from mmseg_tsf.active_learning.exchange.request import RequestFolder
from mmseg_tsf.engine.run_info import commit
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.files import seal
from mmseg_tsf.utils.timing import show_result

SIZE = (8, 8)
NOTES = dict(pixels=8, regions=1, clicks=1)
FOLDED = 3


def image_id(place: int) -> str:
    """Names in folders of a thousand, as large data sets have them."""
    return f'{place // 1000:04d}/{place:07d}'


def write_round(store: RoundStore, number: int, share: int) -> None:
    """Asks and answers the next images, and a tenth of those before."""
    first = max(0, number * share - share // 10)
    ids = [image_id(place) for place in range(first, (number + 1) * share)]
    mask = np.zeros(SIZE, bool)
    mask[number % SIZE[0]] = True
    labels = np.where(mask, number % 5, 255).astype(np.uint8)
    store.write_request(number, ((own, mask, NOTES) for own in ids), {})
    store.write_answer(number, ((own, labels, {}) for own in ids), {})


def seconds(work: Callable[[], object]) -> np.ndarray:
    """Duration of a call: by the clock, and of work of the processor."""
    began = np.array([time.perf_counter(), time.process_time()])
    work()
    return np.array([time.perf_counter(), time.process_time()]) - began


def microseconds_per_image(store: RoundStore, ids: list[str]) -> np.ndarray:
    """Time to look up what is known of an image."""
    index = store.index()
    return 1e6 / len(ids) * seconds(lambda: [(index.asked(i), index.manual(i)) for i in ids])


def export_listing(folder: Path, images: int) -> np.ndarray:
    """Seconds to find the files of a request folder with many images."""
    ids = [f'{place:07d}' for place in range(images)]
    with seal(folder / 'round_000') as writer:
        (writer.path / 'images').mkdir()
        for own in ids:
            (writer.path / f'images/{own}.png').touch()
        writer.info = dict(round=0, request='', classes={}, images={})
    request = RequestFolder(folder / 'round_000')
    return seconds(lambda: [request.image_file(own) for own in ids])


def measure(folder: Path, images: int, rounds: int, exported: int) -> dict[str, np.ndarray]:
    """All times by name; seconds where nothing else is said."""
    share, store = images // rounds, RoundStore(folder / 'rounds')
    with mock.patch('os.fsync'):
        written = seconds(lambda: [write_round(store, n, share) for n in range(rounds - FOLDED)])
    result = dict(written_unsynced=written)
    result['fold_anew'] = seconds(lambda: store.label_folder(rounds - FOLDED - 1))
    folds = []
    for number in range(rounds - FOLDED, rounds):
        with mock.patch('os.fsync'):
            write_round(store, number, share)
        folds.append(seconds(lambda number=number: store.label_folder(number)))
    result['fold'] = np.median(folds, axis=0)
    fresh = RoundStore(store.root)
    result['index'] = seconds(fresh.index)
    result['fold_check'] = seconds(lambda: fresh.label_folder(rounds - 1))
    result['check_rounds'] = seconds(lambda: check_rounds(RoundStore(store.root)))
    some = [image_id(place) for place in range(0, share * rounds, max(1, images // 5000))]
    unknown = [f'unknown/{i}' for i in range(10_000)]
    result['lookup_without_answers_us'] = microseconds_per_image(fresh, unknown)
    result['lookup_with_answers_us'] = microseconds_per_image(fresh, some)
    result['export_listing'] = export_listing(folder, exported)
    return result


def main(argv: list[str] | None = None) -> dict:
    """Entry point."""
    parser = ToolParser(__doc__)
    parser.share('--images', default=200_000, help='images with answers (%(default)s)')
    parser.add_argument('--rounds', type=int, default=100, help='rounds (%(default)s)')
    parser.add_argument(
        '--exported', type=int, default=4000, help='images of the exported request (%(default)s)'
    )
    parser.share(
        '--work-dir', type=Path, required=True, help='new folder, which is deleted afterwards'
    ).share('--json')
    args = parser.parse_args(argv)
    if args.rounds <= FOLDED or args.images < args.rounds or args.exported < 1:
        raise UserError(
            f'--rounds must be above {FOLDED}, --images at least --rounds and --exported above 0'
        )
    if args.work_dir.exists():
        raise UserError(f'{args.work_dir} exists: give a new folder with --work-dir')
    result = dict(images=args.images, rounds=args.rounds, exported=args.exported)
    try:
        times = measure(args.work_dir, args.images, args.rounds, args.exported)
        for name, (clock, processor) in times.items():
            result[name] = dict(clock=round(clock, 3), processor=round(processor, 3))
        return show_result(dict(result, commit=commit()), args.json)
    finally:
        shutil.rmtree(args.work_dir, ignore_errors=True)


if __name__ == '__main__':
    run_tool(main)
