"""Checks of split lists, images and masks before the training starts."""

from __future__ import annotations

import inspect
import os
import os.path as osp
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from mmengine.dataset import BaseDataset
from mmengine.dist import all_gather_object, get_dist_info
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from ..utils.errors import UserError, some_of
from ..utils.image_header import UPRIGHT, orientation_of_file
from .image_reading import ImageReader, reader_of
from .label_meaning import check_same_labels, leaf_configs, leaves
from .label_values import check_ids
from .mask_counts import MaskCounts, check_void
from .mask_reading import MaskReader
from .splits import check_disjoint, read_list


def check_lists(labelled: dict, unlabelled: dict | None, may_be_empty: bool = False) -> None:
    """Checks that the split lists exist, are not empty and do not overlap.

    Args:
        labelled: Config of the labelled data set.
        unlabelled: Config of the unlabelled data set, or ``None``.
        may_be_empty: Whether the labelled list may be empty.

    Raises:
        UserError: A list is missing or empty, or an image of one folder is in both lists.
    """
    names: dict[str, dict[str | None, dict[str, str]]] = dict(labelled={}, unlabelled={})
    for branch, cfg in (('labelled', labelled), ('unlabelled', unlabelled)):
        for key, leaf in leaf_configs(cfg, f'SemiDataset.{branch}') if cfg else ():
            path, listed = check_list(leaf, key, may_be_empty and branch == 'labelled')
            files = names[branch].setdefault(_image_folder(leaf), {})
            files.update(dict.fromkeys(listed, path))
    for folder, first in names['labelled'].items():
        second = names['unlabelled'].get(folder, {})
        for name in first.keys() & second.keys():
            check_disjoint(first, second, first[name], second[name])


def check_list(cfg: Mapping, key: str, may_be_empty: bool = False) -> tuple[str, list[str]]:
    """Checks that the list of a data set exists and names images, or that its folder holds some.

    Args:
        cfg: Config of a data set, not of a wrapper.
        key: Its config key.
        may_be_empty: Whether the list may be empty.

    Returns:
        tuple[str, list[str]]: Path of the list and its names; both empty without a list, and where
        the data set reads files of its own kind.

    Raises:
        UserError: See :func:`~mmseg_tsf.datasets.splits.read_list`, or the folder holds no image.
    """
    path = cfg.get('ann_file')
    if not path:
        _check_folder(key, cfg)
        return '', []
    if cfg.get('data_root') and not osp.isabs(path):
        path = osp.join(cfg['data_root'], path)
    kind = _class_of(cfg)
    reads_names = getattr(kind, 'load_data_list', None) is BaseSegDataset.load_data_list
    if not reads_names or osp.isdir(path) or '://' in path:
        return '', []
    return path, read_list(path, may_be_empty)


def check_no_image_twice(
    labelled: BaseDataset, unlabelled: BaseDataset, key: str = 'SemiDataset.unlabelled'
) -> None:
    """Checks that no image file is in both data sets, with or without lists.

    Args:
        labelled: Images with masks.
        unlabelled: Images without masks, or with masks that the training does not see.
        key: Config key of ``unlabelled``.

    Raises:
        UserError: An image is in both, or twice in the second; the message names the first three.
    """
    first, second = (
        [
            osp.realpath(own.get_data_info(i)['img_path'])
            for _, own in leaves(part)
            for i in range(len(own))
        ]
        for part in (labelled, unlabelled)
    )
    twice = [path for path, times in Counter(second).items() if times > 1]
    if twice:
        raise UserError(
            f'{key} has {len(twice)} images twice, under two names ({some_of(twice)}): remove the '
            'links to them, or give an ann_file that names each once'
        )
    both = sorted(set(first) & set(second))
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


def _class_of(cfg: Mapping) -> type | None:
    kind = cfg['type']
    return DATASETS.get(kind) if isinstance(kind, str) else kind


def _check_folder(key: str, cfg: Mapping) -> None:
    """Checks that an image folder used without a list holds images."""
    folder, kind = _image_folder(cfg), _class_of(cfg)
    if folder is None or kind is None:
        return
    default = inspect.signature(kind.__init__).parameters.get('img_suffix')
    suffix = cfg.get('img_suffix') or (default.default if default else '')
    found = False
    for path, folders, files in os.walk(folder, followlinks=True):  # as MMSegmentation lists it
        found = found or any(name.endswith(suffix) for name in files)
        for own in (osp.join(path, name) for name in folders):
            if osp.islink(own) and _leads_back(own, folder):
                raise UserError(
                    f'{own} is a link to a folder that holds it, so {key} would list its images '
                    'again and again: remove the link'
                )
    if not found:
        raise UserError(
            f'the image folder {folder} of {key} has no file that ends with {suffix!r}: correct '
            'data_prefix.img_path and img_suffix, or give a split list as ann_file'
        )


def _leads_back(link: str, folder: str) -> bool:
    """Whether a link below a folder leads to a folder that was passed on the way to it."""
    target, path = osp.join(osp.realpath(link), ''), osp.dirname(link)
    while len(path) >= len(folder):
        if osp.join(osp.realpath(path), '').startswith(target):
            return True
        path = osp.dirname(path)
    return False


def check_masks(dataset: BaseDataset, name: str) -> MaskCounts:
    """Checks that labelled images and masks exist, have equal sizes and known class ids.

    Each rank checks its share; all ranks must call it, and get the same result.

    Args:
        dataset: Data set or stock wrapper.
        name: Its config key.

    Returns:
        MaskCounts: Counts over all masks.

    Raises:
        UserError: The data set names no classes. A file is missing, damaged or does not fit; the
            message names the first one. 255 stands for a class, see :func:`check_void`.
    """
    check_same_labels({name: dataset})
    classes, counts = dataset.metainfo['classes'], MaskCounts()

    def check_for(leaf: BaseDataset) -> Callable[[dict], MaskCounts]:
        masks, images = MaskReader(leaf.pipeline.transforms), reader_of(leaf)
        return lambda info: counts_of_mask(info, len(classes), masks, images)

    for own in _check_shares(dataset, check_for):
        counts.add(own)
    check_void(counts, classes, name)
    return counts


def check_images(dataset: BaseDataset) -> None:
    """Checks that the images of an unlabelled data set exist and can be opened.

    Each rank checks its share; all ranks must call it.

    Args:
        dataset: Data set or stock wrapper.

    Raises:
        UserError: A file is missing or not an image; the message names the first one.
    """
    _check_shares(dataset, lambda leaf: partial(_check_image, reader=reader_of(leaf)))


def check_orientations(dataset: BaseDataset) -> None:
    """Checks the masks of images that have an EXIF orientation, see :meth:`ImageReader.check_mask`.

    Args:
        dataset: Images with masks, or a stock wrapper; those without are left out.

    Raises:
        UserError: A mask is damaged or does not fit; the message names the first one.
    """
    for _, leaf in leaves(dataset):
        images, masks = reader_of(leaf), MaskReader(leaf.pipeline.transforms)
        for info in (leaf.get_data_info(i) for i in range(len(leaf))):
            path = info.get('seg_map_path')
            if path and orientation_of_file(info['img_path']) != UPRIGHT:
                images.check_mask(info, masks.class_ids(info).shape, path)


def _check_shares(
    dataset: BaseDataset, check_for: Callable[[BaseDataset], Callable[[dict], MaskCounts]]
) -> list[MaskCounts]:
    """Checks all entries; every rank gets the sum of the counts of each rank, or the first error.

    Args:
        dataset: Data set or stock wrapper.
        check_for: Function that returns the check of the entries of a data set in it.
    """
    rank, world_size = get_dist_info()
    counts, error = MaskCounts(), None
    try:
        with ThreadPoolExecutor(max_workers=4) as pool:
            for _, leaf in leaves(dataset):
                infos = (leaf.get_data_info(i) for i in range(rank, len(leaf), world_size))
                for own in pool.map(check_for(leaf), infos):
                    counts.add(own)
    except UserError as raised:  # the other ranks must hear of it
        error = raised
    parts = all_gather_object((counts, error))
    for _, raised in parts:
        if raised is not None:
            raise raised
    return [own for own, _ in parts]


def _check_image(info: dict, reader: ImageReader) -> MaskCounts:
    _check_exists(info['img_path'], 'image')
    reader.size(info)
    return MaskCounts()


def _check_exists(path: str, what: str) -> None:
    if not osp.isfile(path):
        raise UserError(
            f'{what} {path} does not exist: add the file, remove its name from the split list, or '
            'correct data_prefix and the suffixes of the data set'
        )


def counts_of_mask(
    info: dict, num_classes: int, masks: MaskReader, images: ImageReader
) -> MaskCounts:
    """Checks one mask; returns what it shows.

    Args:
        info: Entry of a data set.
        num_classes: Number of classes K.
        masks: Reader of the masks of its data set.
        images: Reader of its images.

    Raises:
        UserError: A file is missing, damaged or does not fit.
    """
    image_path, mask_path = info['img_path'], info.get('seg_map_path')
    _check_exists(image_path, 'image')
    if mask_path is None:
        raise UserError(
            f'labelled image {image_path} has no mask: set data_prefix.seg_map_path of the '
            'labelled data set'
        )
    _check_exists(mask_path, 'mask of a labelled image')
    mask = masks.class_ids(info)
    images.check_mask(info, mask.shape, mask_path)
    counts = MaskCounts.of(mask)
    check_ids(counts.shown, num_classes, f'mask {mask_path}')
    return counts
