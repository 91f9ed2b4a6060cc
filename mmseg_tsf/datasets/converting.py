"""What the converters of data sets share: a free folder, and masks of class ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..utils.errors import UserError


def check_free(out: Path, force: bool = False) -> None:
    """Checks that ``img_dir`` and ``ann_dir`` of a new data root hold no file yet.

    Raises:
        UserError: One of them does, and ``force`` is not set.
    """
    for folder in (out / 'img_dir', out / 'ann_dir'):
        if folder.exists() and any(folder.iterdir()) and not force:
            raise UserError(
                f'{folder} is not empty: choose another --out, or --force to write into it.'
            )


def to_mask(ids: np.ndarray, palette: Sequence[Sequence[int]]) -> Image.Image:
    """Class ids ``(H, W)`` uint8 as an indexed image in the colours of their classes.

    The palette has all 256 entries: with fewer, Pillow packs the ids into 4 bits, and void, 255,
    becomes 15.
    """
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(palette)] = palette
    mask = Image.fromarray(ids)
    mask.putpalette(colours.tobytes())
    return mask
