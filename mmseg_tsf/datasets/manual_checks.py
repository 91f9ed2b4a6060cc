"""Check of a folder of manual labels before training."""

from __future__ import annotations

import os
import os.path as osp
from collections.abc import Iterator

import numpy as np
from mmengine.dataset import BaseDataset

from ..utils.errors import UserError, some_of
from .image_reading import reader_of
from .label_values import check_ids
from .transforms import LoadManualAnnotations

IMAGES = ('.bmp', '.gif', '.jpeg', '.jpg', '.npy', '.png', '.tif', '.tiff')
"""Suffixes of files that are meant to be labels; tables and notes may lie beside them."""


def check_manual_labels(
    dataset: BaseDataset, labelled: BaseDataset, loader: LoadManualAnnotations, num_classes: int
) -> None:
    """Checks that manual labels belong to images of the pool, and hold class ids.

    Args:
        dataset: Unlabelled images.
        labelled: Labelled images, whose masks may lie in the same folder.
        loader: Loader of their manual labels.
        num_classes: Number of classes K.

    Raises:
        UserError: A file belongs to no image, so it would be ignored, or there is none; a file has
            ids that are no classes, or does not fit its image. The message names files.
    """
    folder = loader.folder
    pool, known = (
        {osp.normpath(loader.path(info['img_path'])): info for info in _infos(own)}
        for own in (dataset, labelled)
    )
    files = set(_files(folder))
    others = [osp.relpath(path, folder) for path in sorted(files - pool.keys() - known.keys())]
    given = sorted(files & pool.keys())
    if others or not given:
        found = f'{len(others)} files that belong to no image ({some_of(others)})'
        raise UserError(
            f'SemiDataset.manual_labels={folder} holds {found if others else "no label"}: a label '
            'is a PNG with the path of its image below data_prefix.img_path, without img_suffix; '
            'correct the names, or remove the files'
        )
    reader = reader_of(dataset)
    for path in given:
        ids = loader.read(pool[path]['img_path'])
        reader.check_mask(pool[path], ids.shape, path)
        check_ids(np.bincount(ids.ravel(), minlength=256), num_classes, f'manual labels {path}')


def _files(folder: str) -> Iterator[str]:
    """Paths of all files that are meant to be labels."""
    for path, _, names in os.walk(folder, followlinks=True):
        for name in names:
            if name.lower().endswith(IMAGES) and not name.startswith('.'):
                yield osp.normpath(osp.join(path, name))


def _infos(dataset: BaseDataset) -> Iterator[dict]:
    return map(dataset.get_data_info, range(len(dataset)))
