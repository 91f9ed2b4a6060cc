"""Make lists of labelled and unlabelled images for any data set, or import published ones.

    python tools/make_splits.py CONFIG --out DIR --fractions 1/16 1/8 1/4 1/2
    python tools/make_splits.py --image-dir DIR --suffix .jpg --out DIR --counts 10 20
    python tools/make_splits.py --list names.txt --out DIR
    python tools/make_splits.py --import u2pl FILE_OR_DIR --out DIR

Writes ``DIR/1-8/labelled.txt`` and ``DIR/1-8/unlabelled.txt`` (a count names the folder as it is).
Names are sorted and then shuffled by ``random.Random(seed)``, so the same images and seed give the
same lists everywhere; a smaller labelled list is part of every larger one.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

import mmseg_tsf  # noqa: F401  registers our data sets
from mmseg_tsf.datasets.mask_reading import MaskReader
from mmseg_tsf.datasets.splits import (
    LIST_STYLES,
    check_disjoint,
    class_balanced_order,
    count_of,
    nested_splits,
    parse_lines,
    read_list,
    seeded_order,
    write_lists,
)
from mmseg_tsf.utils.cli import ToolParser, existing_file, run_tool
from mmseg_tsf.utils.config_data import read_config
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.progress import track

Samples = dict[str, dict]
"""Entries of ``BaseSegDataset.load_data_list`` by image name."""


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; exactly one source of images must be given."""
    parser = ToolParser(__doc__)
    pool = parser.add_argument_group('images (give one of the first four)')
    pool.add_argument(
        'config', nargs='?', type=existing_file, help='config whose training images are split'
    )
    pool.add_argument('--image-dir', help='folder of images, sub-folders included')
    pool.add_argument(
        '--list', help='text file of image names; with --image-dir, the images to use from it'
    )
    pool.add_argument(
        '--import',
        nargs=2,
        dest='published',
        metavar=('{' + ','.join(LIST_STYLES) + '}', 'PATH'),
        help='published list, or folder with labeled.txt and unlabeled.txt, sub-folders included',
    )
    pool.add_argument('--suffix', default='.jpg', help='ending of the image files (%(default)s)')
    pool.add_argument('--ann-dir', help='folder of the masks, for --class-balanced')
    pool.add_argument('--ann-suffix', default='.png', help='ending of the mask files (%(default)s)')
    parser.share('--out', required=True, help='folder for the lists')
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        '--fractions',
        nargs='+',
        default=['1/16', '1/8', '1/4', '1/2'],
        help='shares of labelled images (1/16 1/8 1/4 1/2)',
    )
    sizes.add_argument('--counts', nargs='+', type=int, help='numbers of labelled images')
    parser.share('--seed', help='seed of the shuffle (%(default)s)')
    parser.add_argument(
        '--hold-out', type=int, default=0, help='number of images to set aside in DIR/val.txt'
    )
    balanced = 'prefer images with rare classes; reads the masks of all images'
    parser.add_argument('--class-balanced', action='store_true', help=balanced)
    parser.share('--force', help='replace lists that differ')
    args = parser.parse_args(argv)
    if args.published and args.published[0] not in LIST_STYLES:
        parser.error(f'--import knows {" and ".join(LIST_STYLES)}, not {args.published[0]}')
    sources = [args.config, args.published, args.image_dir or args.list]
    if sum(source is not None for source in sources) != 1:
        parser.error('give one of CONFIG, --image-dir, --list and --import')
    return args


def load_samples(dataset: BaseSegDataset) -> Samples:
    """List a lazily built data set's images by the name that an ``ann_file`` would give them."""
    folder = dataset.data_prefix['img_path']
    if not os.path.isdir(folder):
        raise UserError(f'The image folder {folder} does not exist.')
    if dataset.ann_file:
        read_list(dataset.ann_file)
    infos = dataset.load_data_list()
    if not infos:
        raise UserError(f'No image that ends in {dataset.img_suffix} is in {folder}.')
    return {_name_of(info, folder, dataset.img_suffix): info for info in infos}


def samples_of_config(path: str) -> Samples:
    """Find the images that a config trains on.

    For a ``SemiDataset`` these are the images of both lists, if the lists exist, else all images in
    the folder of the unlabelled part.
    """
    config = read_config(path, ('train_dataloader.dataset',)).train_dataloader.dataset
    while 'dataset' in config:  # RepeatDataset and its like
        config = config.dataset
    if 'labelled' not in config:
        return load_samples(_build(config))
    if config.get('unlabelled') is None:
        raise UserError(f'{path} has no unlabelled images: name the folder with --image-dir.')
    parts = [_build(config[branch]) for branch in ('labelled', 'unlabelled')]
    folders = [part.data_prefix['img_path'] for part in parts]
    if os.path.abspath(folders[0]) != os.path.abspath(folders[1]):
        raise UserError(
            f'{path} takes labelled images from {folders[0]} and unlabelled ones from '
            f'{folders[1]}: name the folder to split with --image-dir.'
        )
    if all(part.ann_file and os.path.isfile(part.ann_file) for part in parts):
        print(f'Splitting the images of {parts[0].ann_file} and {parts[1].ann_file}.')
        return {**load_samples(parts[0]), **load_samples(parts[1])}
    print(f'Splitting all images in {folders[1]}.')
    parts[1].ann_file = ''
    return load_samples(parts[1])


def samples_of_folder(args: argparse.Namespace) -> Samples:
    """List the images of ``--image-dir``, or of ``--list`` alone (names without files)."""
    if args.image_dir is None:
        return {name: {} for name in read_list(args.list)}
    config = dict(
        type='BaseSegDataset',
        img_suffix=args.suffix,
        seg_map_suffix=args.ann_suffix,
        data_prefix=dict(img_path=args.image_dir, seg_map_path=args.ann_dir),
        ann_file=args.list or '',
    )
    return load_samples(_build(config))


def count_pixels(samples: Samples, order: Sequence[str]) -> np.ndarray:
    """Count pixels per image and class: (N, 255), rows as in ``order``, ignored ones left out."""
    masks = MaskReader()
    pixels = np.zeros((len(order), 255), dtype=np.int64)
    for row, name in enumerate(track(order, 'Reading masks')):
        info = samples[name]
        mask = info.get('seg_map_path')
        if mask is None or not os.path.isfile(mask):
            raise UserError(
                f'--class-balanced reads a mask for every image, but {name} has none'
                + (f' at {mask}.' if mask else ': give a config or --ann-dir.')
            )
        pixels[row] = np.bincount(masks.class_ids(info).ravel(), minlength=256)[:255]
    return pixels


def make_lists(args: argparse.Namespace) -> dict[Path, list[str]]:
    """Split the images that the arguments name; returns names by list file."""
    samples = samples_of_config(args.config) if args.config else samples_of_folder(args)
    order = seeded_order(samples, args.seed)
    lists = {}
    if args.hold_out:
        ((lists[args.out / 'val.txt'], _),) = nested_splits(order, [args.hold_out]).values()
        order = order[args.hold_out :]
    if args.class_balanced:
        order = class_balanced_order(order, count_pixels(samples, order))
    if args.counts:
        counts = {str(count): count for count in args.counts}
    else:
        counts = {text.replace('/', '-'): count_of(text, len(order)) for text in args.fractions}
    splits = nested_splits(order, counts.values())
    for folder, count in counts.items():
        labelled, unlabelled = splits[count]
        lists[args.out / folder / 'labelled.txt'] = labelled
        lists[args.out / folder / 'unlabelled.txt'] = unlabelled
    return lists


def import_lists(style: str, source: Path, out: Path) -> dict[Path, list[str]]:
    """Convert a published list or a tree of them; returns names by list file.

    Folders keep their names but for ``1_8`` -> ``1-8``; ``labeled`` becomes ``labelled``.
    """
    files = sorted(source.rglob('*labeled.txt')) if source.is_dir() else [source]
    if not files:
        raise UserError(f'No labeled.txt or unlabeled.txt is in {source}.')
    root = source if source.is_dir() else source.parent
    lists = {}
    for file in files:
        folder = file.parent.relative_to(root).as_posix().replace('_', '-')
        lists[out / folder / file.name.replace('labeled', 'labelled')] = parse_lines(file, style)
    for target, names in lists.items():
        partner = target.with_name('unlabelled.txt')
        if target.name == 'labelled.txt' and partner in lists:
            check_disjoint(names, lists[partner], target, partner)
    return lists


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    if args.published:
        lists = import_lists(args.published[0], Path(args.published[1]), args.out)
    else:
        lists = make_lists(args)
    write_lists(lists, args.force)
    for path, names in lists.items():
        print(f'{path}: {len(names)} images')


def _build(config: dict) -> BaseSegDataset:
    # Lazily and without a pipeline: only the names are needed.
    return DATASETS.build({**config, 'pipeline': [], 'lazy_init': True})


def _name_of(info: dict, folder: str, suffix: str) -> str:
    path = Path(os.path.relpath(info['img_path'], folder)).as_posix()
    return path[: len(path) - len(suffix)]


if __name__ == '__main__':
    run_tool(main)
