"""The generated demo street as an MMSegmentation data set, and the generator of its files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from PIL import Image

from ..utils.errors import UserError
from .street_scene.canvas import CLASSES, VOID
from .street_scene.mood import draw_weather
from .street_scene.scene import render

# Okabe and Ito's colours, which are safe for colour-blind readers, and greys.
PALETTE = [
    [86, 180, 233],
    [213, 94, 0],
    [90, 90, 90],
    [204, 121, 167],
    [0, 158, 115],
    [0, 114, 178],
    [240, 228, 66],
    [200, 200, 200],
    [230, 159, 0],
]


@DATASETS.register_module()
class DemoStreetDataset(BaseSegDataset):
    """Data set written by ``tools/dataset_converters/demo_street.py``: 9 classes, 255 is void."""

    METAINFO = dict(classes=CLASSES, palette=PALETTE)

    def __init__(
        self, img_suffix: str = '.png', seg_map_suffix: str = '.png', **kwargs: Any
    ) -> None:
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)


def generate(
    root: str | Path,
    num_train: int = 160,
    num_val: int = 40,
    size: tuple[int, int] = (96, 128),
    seed: int = 0,
    num_labelled: int = 10,
    labelled_weather: str | None = 'sunny',
) -> None:
    """Writes the demo data set in MMSegmentation's layout.

    Picture ``i`` of a subset depends on ``seed`` and ``i`` only, so a larger set begins with the
    pictures of a smaller one.

    Args:
        root: Folder that receives ``img_dir``, ``ann_dir`` and ``splits``.
        num_train: Number of training pictures.
        num_val: Number of validation pictures.
        size: Height and width in pixels.
        seed: Seed of the pictures and of the choice of the labelled ones.
        num_labelled: Number of training pictures in the labelled list.
        labelled_weather: Weather of the labelled pictures, as far as there are enough of them;
            ``None`` draws from all pictures. A small labelled set often covers only the
            conditions that were recorded first.

    Raises:
        UserError: If ``num_labelled`` is not in 1..``num_train``.
    """
    if not 0 < num_labelled <= num_train:
        raise UserError(f'num_labelled must be in 1..{num_train}, got {num_labelled}')
    root = Path(root)
    names, weather = {}, {}
    for subset, (split, count) in enumerate((('train', num_train), ('val', num_val))):
        names[split] = [f'{split}_{index:04d}' for index in range(count)]
        for index, name in enumerate(names[split]):
            rng = np.random.default_rng((seed, subset, index))
            weather[name] = draw_weather(rng)
            _write_pair(root, split, name, *render(rng, size, weather[name]))
    order = np.random.default_rng((seed, 2)).permutation(names['train']).tolist()
    if labelled_weather is not None:
        order.sort(key=lambda name: weather[name] != labelled_weather)
    names['labelled'], names['unlabelled'] = order[:num_labelled], order[num_labelled:]
    for split, stems in names.items():
        _write_list(root / 'splits' / f'{split}.txt', stems)


def _write_pair(root: Path, split: str, name: str, image: np.ndarray, label: np.ndarray) -> None:
    mask = Image.fromarray(label).convert('P')
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(PALETTE)] = PALETTE
    palette[VOID] = 255
    mask.putpalette(palette.tobytes())
    for folder, picture in (('img_dir', Image.fromarray(image)), ('ann_dir', mask)):
        path = root / folder / split / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)


def _write_list(path: Path, stems: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{stem}\n' for stem in sorted(stems)), encoding='utf-8')
