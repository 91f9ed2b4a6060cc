"""Values in label files: what they must be, and which class ids they mean."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from ..models.utils.labels import IGNORE_INDEX
from ..utils.errors import UserError, some_of

UNREADABLE = (OSError, SyntaxError, ValueError, AttributeError, Image.DecompressionBombError)
"""What decoders raise for damaged files; mmcv's raise AttributeError for what OpenCV rejects."""


def as_bytes(values: np.ndarray, where: str) -> np.ndarray:
    """Values of a mask as uint8, which changes none of them.

    Args:
        values: ``(H, W)`` array of any numbers or bool.
        where: Name of the mask, for the error message.

    Raises:
        UserError: A value is not a whole number from 0 to 255.
    """
    if values.dtype in (np.uint8, np.bool_):
        return values.astype(np.uint8, copy=False)
    with np.errstate(invalid='ignore'):
        ids = values.astype(np.uint8)
        wrong = values[ids != values]
    if wrong.size:
        found = [f'{value:g}' for value in np.unique(wrong)]
        raise UserError(
            f'{where} has the type {values.dtype} and holds {some_of(found)}, which is no class id '
            'and would be read as another number: write whole numbers from 0 to 254, and '
            f'{IGNORE_INDEX} where there is no label'
        )
    return ids


def table_of(info: Mapping) -> np.ndarray:
    """``(256,)`` uint8 class ids of the ids in a mask file, as MMSeg's ``LoadAnnotations`` maps.

    Args:
        info: Entry of a data set.
    """
    table = np.arange(256)
    if info.get('reduce_zero_label'):  # first, as in MMSeg
        table = np.where((table == 0) | (table == IGNORE_INDEX), IGNORE_INDEX, table - 1)
    label_map = info.get('label_map') or {}
    return np.array([label_map.get(int(i), int(i)) for i in table]).astype(np.uint8)


def check_ids(shown: np.ndarray, num_classes: int, where: str) -> None:
    """Checks that labels hold class ids and 255 alone.

    Args:
        shown: ``(256,)`` number of pixels (or of masks) of each id.
        num_classes: Number of classes K.
        where: Name of the file, for the error message.

    Raises:
        UserError: Another id occurs.
    """
    foreign = [i for i in np.flatnonzero(shown).tolist() if num_classes <= i != IGNORE_INDEX]
    if foreign:
        raise UserError(
            f'{where} has the class ids {foreign}, but there are {num_classes} classes '
            f'(0 to {num_classes - 1}; 255 = ignore): relabel it or correct the classes'
        )
