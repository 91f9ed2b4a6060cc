"""Looks at lists and files before any training time is spent."""

from __future__ import annotations

import inspect
import os.path as osp
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info
from mmseg.registry import DATASETS
from PIL import Image, UnidentifiedImageError

from ..utils.errors import UserError
from .splits import check_disjoint, read_list


def check_lists(labelled: dict, unlabelled: dict | None) -> None:
    """Refuses missing and empty split lists, and lists of one folder that overlap.

    Args:
        labelled: Config of the labelled data set.
        unlabelled: Config of the unlabelled one, or ``None``.

    Raises:
        UserError: One sentence that names the file and the mend.
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
        names[branch] = (path, read_list(path))
    if len(names) == 2 and _image_folder(labelled) == _image_folder(unlabelled):
        (labelled_path, first), (unlabelled_path, second) = names.values()
        check_disjoint(first, second, labelled_path, unlabelled_path)


def check_no_image_twice(
    labelled: BaseDataset, unlabelled: BaseDataset, key: str = 'SemiDataset.unlabelled'
) -> None:
    """Refuses an image that is labelled and taken for unlabelled, however the two are listed.

    Args:
        labelled: Images with masks.
        unlabelled: Images without, or whose masks training does not see.
        key: Where ``unlabelled`` is configured.

    Raises:
        UserError: Names the first ones and the mend.
    """
    first, second = (
        {osp.realpath(part.get_data_info(i)['img_path']) for i in range(len(part))}
        for part in (labelled, unlabelled)
    )
    both = sorted(first & second)
    if both:
        raise UserError(
            f'{len(both)} images are labelled and unlabelled at once ({", ".join(both[:3])}): '
            f'give {key} an ann_file without them'
        )


def _image_folder(cfg: dict) -> str | None:
    folder = (cfg.get('data_prefix') or {}).get('img_path')
    if folder is None:
        return None
    return osp.realpath(osp.join(cfg.get('data_root') or '', folder))


def _check_folder(branch: str, cfg: dict) -> None:
    """Refuses an image folder without images, where no list names them."""
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
    """Looks at every labelled image and mask: both there, of one size, known class ids.

    Each rank looks at its share.

    Raises:
        UserError: One sentence that names the file and the mend.
    """
    num_classes = len(dataset.metainfo['classes'])
    _check_own_share(dataset, lambda info: _check_mask(info, num_classes))


def check_images(dataset: BaseDataset) -> None:
    """Checks that every image of an unlabelled data set is there, and is one.

    Each rank looks at its share.

    Raises:
        UserError: One sentence that names the first file that is not.
    """
    _check_own_share(dataset, _check_image)


def _check_own_share(dataset: BaseDataset, check: Callable[[dict], object]) -> None:
    rank, world_size = get_dist_info()
    infos = [dataset.get_data_info(i) for i in range(rank, len(dataset), world_size)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        for _ in pool.map(check, infos):
            pass


def _check_image(info: dict) -> None:
    _check_exists(info['img_path'], 'image')
    image_size(info['img_path'])


def image_size(path: str) -> tuple[int, int]:
    """Width and height of an image, from its header.

    Raises:
        UserError: The file is no image; names it and the mend.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except Image.DecompressionBombError as error:
        raise UserError(f'image {path} is too large ({error}): cut it into tiles') from None
    except UnidentifiedImageError:
        raise UserError(
            f'image {path} can not be read: replace it, or take it off the list'
        ) from None


def read_ids(path: str) -> np.ndarray:
    """``(H, W)`` class ids of a mask, as they are in the file.

    Raises:
        UserError: The file is damaged or no mask of one channel; names it and the mend.
    """
    problem = ''
    try:
        with Image.open(path) as mask:
            ids = np.asarray(mask)
    except (OSError, SyntaxError, ValueError) as error:
        problem = f'can not be read ({error})'
    if not problem and ids.ndim != 2:
        problem = f'has {ids.shape[2]} channels, not one with class ids'
    if problem:
        raise UserError(f'mask {path} {problem}: write it again, or take it off the list')
    return ids


def _check_exists(path: str, what: str) -> None:
    if not osp.isfile(path):
        raise UserError(
            f'{what} {path} does not exist: add the file, take its name off the split list, or '
            'correct data_prefix and the suffixes of the data set'
        )


def _check_mask(info: dict, num_classes: int) -> None:
    image_path, mask_path = info['img_path'], info.get('seg_map_path')
    _check_exists(image_path, 'image')
    if mask_path is None:
        raise UserError(
            f'labelled image {image_path} has no mask: set data_prefix.seg_map_path of the '
            'labelled data set'
        )
    _check_exists(mask_path, 'mask of a labelled image')
    width, height = image_size(image_path)
    mask = read_ids(mask_path)
    if mask.shape != (height, width):
        raise UserError(
            f'mask {mask_path} is {mask.shape[1]}x{mask.shape[0]} pixels, its image '
            f'{width}x{height}: they must be of one size'
        )
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
