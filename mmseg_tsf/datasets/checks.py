"""Checks of split lists, images and masks before the training starts."""

from __future__ import annotations

import inspect
import os.path as osp
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info
from mmseg.registry import DATASETS
from PIL import Image

from ..utils.errors import UserError
from ..utils.image_header import UPRIGHT, orientation_of_file
from .image_reading import ImageReader, reader_of
from .splits import check_disjoint, read_list
from .wrappers import parts_of


def check_lists(labelled: dict, unlabelled: dict | None, may_be_empty: bool = False) -> None:
    """Checks that the split lists exist, are not empty and do not overlap.

    Args:
        labelled: Config of the labelled data set.
        unlabelled: Config of the unlabelled data set, or ``None``.
        may_be_empty: Whether the labelled list may be empty.

    Raises:
        UserError: A list is missing or empty, or an image of one folder is in both lists.
    """
    names = {}
    for branch, cfg in (('labelled', labelled), ('unlabelled', unlabelled)):
        if cfg is None:
            continue
        if not cfg.get('ann_file'):
            _check_folder(branch, cfg)
            continue
        path = cfg['ann_file']
        if cfg.get('data_root') and not osp.isabs(path):
            path = osp.join(cfg['data_root'], path)
        names[branch] = (path, read_list(path, may_be_empty and branch == 'labelled'))
    if len(names) == 2 and _image_folder(labelled) == _image_folder(unlabelled):
        (labelled_path, first), (unlabelled_path, second) = names.values()
        check_disjoint(first, second, labelled_path, unlabelled_path)


def check_no_image_twice(
    labelled: BaseDataset, unlabelled: BaseDataset, key: str = 'SemiDataset.unlabelled'
) -> None:
    """Checks that no image file is in both data sets, with or without lists.

    Args:
        labelled: Images with masks.
        unlabelled: Images without masks, or with masks that the training does not see.
        key: Config key of ``unlabelled``.

    Raises:
        UserError: An image is in both; the message names the first three.
    """
    first, second = (
        {
            osp.realpath(own.get_data_info(i)['img_path'])
            for own in parts_of(part)
            for i in range(len(own))
        }
        for part in (labelled, unlabelled)
    )
    both = sorted(first & second)
    if both:
        raise UserError(
            f'{len(both)} images are both labelled and unlabelled ({", ".join(both[:3])}): '
            f'give {key} an ann_file without them'
        )


def _image_folder(cfg: dict) -> str | None:
    folder = (cfg.get('data_prefix') or {}).get('img_path')
    if folder is None:
        return None
    return osp.realpath(osp.join(cfg.get('data_root') or '', folder))


def _check_folder(branch: str, cfg: dict) -> None:
    """Checks that an image folder used without a list holds images."""
    folder = _image_folder(cfg)
    if folder is None:
        return
    dataset = DATASETS.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    default = inspect.signature(dataset.__init__).parameters.get('img_suffix')
    suffix = cfg.get('img_suffix') or (default.default if default else '')
    if not any(Path(folder).rglob(f'*{suffix}')):
        raise UserError(
            f'the {branch} image folder {folder} has no file that ends with {suffix!r}: correct '
            'data_prefix.img_path and img_suffix, or give a split list as ann_file'
        )


def check_masks(dataset: BaseDataset) -> None:
    """Checks that labelled images and masks exist, have equal sizes and known class ids.

    Each rank checks its share.

    Raises:
        UserError: A file is missing, damaged or does not fit; the message names the first one.
    """
    num_classes = len(dataset.metainfo['classes'])
    for part in parts_of(dataset):
        check = partial(_check_mask, num_classes=num_classes, reader=reader_of(part))
        _check_own_share(part, check)


def check_images(dataset: BaseDataset) -> None:
    """Checks that the images of an unlabelled data set exist and can be opened.

    Each rank checks its share.

    Raises:
        UserError: A file is missing or not an image; the message names the first one.
    """
    for part in parts_of(dataset):
        _check_own_share(part, partial(_check_image, reader=reader_of(part)))


def check_orientations(dataset: BaseDataset) -> None:
    """Checks the masks of images that have an EXIF orientation, see :meth:`ImageReader.check_mask`.

    Args:
        dataset: Images with masks; those without are left out.

    Raises:
        UserError: A mask is damaged or does not fit; the message names the first one.
    """
    for part in parts_of(dataset):
        reader = reader_of(part)
        for info in (part.get_data_info(i) for i in range(len(part))):
            path = info.get('seg_map_path')
            if path and orientation_of_file(info['img_path']) != UPRIGHT:
                reader.check_mask(info, read_ids(path).shape, path)


def _check_own_share(dataset: BaseDataset, check: Callable[[dict], object]) -> None:
    rank, world_size = get_dist_info()
    infos = [dataset.get_data_info(i) for i in range(rank, len(dataset), world_size)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        for _ in pool.map(check, infos):
            pass


def _check_image(info: dict, reader: ImageReader) -> None:
    _check_exists(info['img_path'], 'image')
    reader.size(info)


def read_ids(path: str) -> np.ndarray:
    """Reads the class ids ``(H, W)`` of a mask as they are in the file.

    Raises:
        UserError: The file is damaged or has several channels.
    """
    problem = ''
    try:
        with Image.open(path) as mask:
            ids = np.asarray(mask)
    except (OSError, SyntaxError, ValueError) as error:
        problem = f'cannot be read ({error})'
    if not problem and ids.ndim != 2:
        problem = f'has {ids.shape[2]} channels, not one with class ids'
    if problem:
        raise UserError(f'mask {path} {problem}: replace it, or remove it from the list')
    return ids


def _check_exists(path: str, what: str) -> None:
    if not osp.isfile(path):
        raise UserError(
            f'{what} {path} does not exist: add the file, remove its name from the split list, or '
            'correct data_prefix and the suffixes of the data set'
        )


def _check_mask(info: dict, num_classes: int, reader: ImageReader) -> None:
    image_path, mask_path = info['img_path'], info.get('seg_map_path')
    _check_exists(image_path, 'image')
    if mask_path is None:
        raise UserError(
            f'labelled image {image_path} has no mask: set data_prefix.seg_map_path of the '
            'labelled data set'
        )
    _check_exists(mask_path, 'mask of a labelled image')
    mask = read_ids(mask_path)
    reader.check_mask(info, mask.shape, mask_path)
    ids = set(np.unique(mask).tolist()) - {255}
    if info.get('reduce_zero_label'):  # first, as in MMSeg's LoadAnnotations
        ids = {i - 1 for i in ids if i > 0}
    if info.get('label_map'):
        ids = {info['label_map'].get(i, i) for i in ids} - {255}
    foreign = sorted(i for i in ids if i >= num_classes)
    if foreign:
        raise UserError(
            f'mask {mask_path} has the class ids {foreign}, but there are {num_classes} classes '
            f'(0 to {num_classes - 1}; 255 = ignore): relabel it or correct the classes'
        )
