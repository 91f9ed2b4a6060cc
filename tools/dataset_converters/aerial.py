"""Convert the public aerial chips to MMSegmentation's layout and split them.

    git clone https://github.com/aqbewtra/Multi-Class-Aerial-Segmentation chips
    git -C chips checkout 7a533e7da07d39728e59f2fcf37e50fa86331708
    python tools/dataset_converters/aerial.py chips/data/dataset-sample --out data/aerial

In:  image-chips/SCENE-NUMBER.png and label-chips/SCENE-NUMBER.png, 260 pairs of two scenes of
     300x300 pixels; labels are grey, the class id times 40
Out: img_dir/{train,val,test}/NAME.jpg and ann_dir/{train,val,test}/NAME.png, 155/34/71 pairs;
     names are a000-a035 and b000-b223

The split is by contiguous strips of chips within both scenes, because neighbouring chips touch.
The source states no licence for the images: use them for experiments of your own only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_tsf.datasets.aerial import AerialChipsDataset
from mmseg_tsf.datasets.converting import check_free, to_mask
from mmseg_tsf.utils.cli import ToolParser, run_tool
from mmseg_tsf.utils.errors import UserError
from mmseg_tsf.utils.progress import track

SCENES = {
    '1d4fbe33f3_F1BE1D4184INSPIRE': ('a', 36),
    'ec09336a6f_06BA0AF311OPENPIPELINE': ('b', 224),
}
"""Letter and number of chips of each scene."""
VAL = {'a': range(28, 32), 'b': range(30, 60)}
TEST = {'a': range(16, 28), 'b': (*range(30), *range(195, 224))}
LABEL_STEP = 40
JPEG_QUALITY = 90

Chip = tuple[str, str, Path, Path]
"""Split, new name, image file, label file."""


def find_chips(source: Path) -> list[Chip]:
    """All chips of both scenes.

    Raises:
        UserError: A file of the 260 pairs is missing.
    """
    chips = []
    for scene, (letter, count) in SCENES.items():
        for number in range(count):
            image = source / 'image-chips' / f'{scene}-{number:06}.png'
            label = source / 'label-chips' / image.name
            for file in (image, label):
                if not file.is_file():
                    raise UserError(
                        f'{file} does not exist: SOURCE must be data/dataset-sample of the '
                        'repository, at the commit that --help names'
                    )
            split = (
                'test' if number in TEST[letter] else 'val' if number in VAL[letter] else 'train'
            )
            chips.append((split, f'{letter}{number:03}', image, label))
    return chips


def read_label(image: Path, label: Path) -> np.ndarray:
    """Class ids ``(H, W)`` uint8 of a chip.

    Raises:
        UserError: The file is not grey with multiples of 40 up to 200, or has another size than
            its image.
    """
    with Image.open(label) as opened:
        channels, size = np.asarray(opened.convert('RGB')), opened.size
    with Image.open(image) as opened:
        if opened.size != size:
            raise UserError(f'{label} is {size} pixels, its image {image} is {opened.size}')
    values = channels[..., 0]
    known = np.arange(len(AerialChipsDataset.METAINFO['classes'])) * LABEL_STEP
    if (channels != values[..., None]).any() or not np.isin(values, known).all():
        raise UserError(
            f'{label} has other values than the grey levels {", ".join(map(str, known))}: check '
            'out the commit that --help names'
        )
    return values // LABEL_STEP


def convert(source: Path, out: Path, force: bool = False) -> dict[str, int]:
    """Converts all chips; nothing is written unless every input file is good.

    Args:
        source: ``data/dataset-sample`` of the repository.
        out: New data root.
        force: Whether to write into folders that hold files already.

    Returns:
        dict[str, int]: Number of chips by split.

    Raises:
        UserError: ``out`` is in use and ``force`` is not set; see also :func:`find_chips` and
            :func:`read_label`.
    """
    check_free(out, force)
    chips = find_chips(source)
    labels = [read_label(image, label) for _, _, image, label in track(chips, 'Checking')]
    counts = dict.fromkeys(('train', 'val', 'test'), 0)
    for (split, name, image, _), ids in zip(track(chips, 'Writing'), labels, strict=True):
        for folder in ('img_dir', 'ann_dir'):
            (out / folder / split).mkdir(parents=True, exist_ok=True)
        with Image.open(image) as opened:
            rgb = opened.convert('RGB')
        rgb.save(out / 'img_dir' / split / f'{name}.jpg', quality=JPEG_QUALITY)
        mask = to_mask(ids, AerialChipsDataset.METAINFO['palette'])
        mask.save(out / 'ann_dir' / split / f'{name}.png', optimize=True)
        counts[split] += 1
    return counts


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the tool."""
    parser = ToolParser(__doc__)
    parser.add_argument('source', type=Path, help='data/dataset-sample of the repository')
    parser.share('--out', default=Path('data/aerial'), help='new data root (%(default)s)')
    parser.share('--force', help='write into a folder that holds files')
    args = parser.parse_args(argv)
    counts = convert(args.source, args.out, args.force)
    print(f'{args.out}: ' + ', '.join(f'{n} {split}' for split, n in counts.items()))


if __name__ == '__main__':
    run_tool(main)
