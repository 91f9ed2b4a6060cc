"""Data sets inside of MMSeg's and mmengine's wrappers: Concat, Repeat, MultiImageMix."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.dataset import BaseDataset
from torch.utils.data import Dataset

from ..utils.errors import UserError
from ..utils.settings import kind_name


def parts_of(dataset: Dataset) -> Iterator[BaseDataset]:
    """The data sets that read files: those inside of wrappers, or the data set itself."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inner == [None]:
        yield dataset
        return
    for own in inner:
        yield from parts_of(own)


def part_configs(cfg: dict) -> Iterator[dict]:
    """Configs of the data sets inside of wrappers, or the config itself."""
    inner = cfg.get('datasets') or [cfg.get('dataset')]
    if inner == [None]:
        yield cfg
        return
    for own in inner:
        yield from part_configs(own)


def check_is_one(cfg: dict, key: str, reason: str) -> None:
    """Checks that a data set is no wrapper.

    Args:
        cfg: Config of the data set.
        key: Its config key.
        reason: What needs a single data set, for the message.

    Raises:
        UserError: It is one.
    """
    if next(part_configs(cfg)) is not cfg:
        raise UserError(
            f'{key}.type={kind_name(cfg)!r} wraps other data sets, but {reason}: name one data set '
            'whose data_prefix.img_path holds all images, also in sub-folders, with all their '
            'names in its ann_file'
        )
