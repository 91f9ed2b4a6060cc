"""Data sets inside of MMSeg's and mmengine's wrappers: Concat, Repeat, MultiImageMix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..utils.errors import UserError
from ..utils.settings import kind_name


def leaves(dataset: object, key: str = '') -> Iterator[tuple[str, object]]:
    """Data sets inside of the stock wrappers, each with its key; others are their own leaf.

    Args:
        dataset: Data set, or a wrapper such as ``ConcatDataset`` or ``RepeatDataset``.
        key: Config key of the data set.
    """
    if isinstance(getattr(dataset, 'datasets', None), (list, tuple)):
        for i, own in enumerate(dataset.datasets):
            yield from leaves(own, f'{key}.datasets.{i}')
    elif hasattr(dataset, 'dataset'):
        yield from leaves(dataset.dataset, f'{key}.dataset')
    else:
        yield key, dataset


def leaf_configs(cfg: Mapping, key: str) -> Iterator[tuple[str, Mapping]]:
    """Like :func:`leaves`, for the config of a data set that is not built yet."""
    if isinstance(cfg.get('datasets'), (list, tuple)):
        for i, own in enumerate(cfg['datasets']):
            yield from leaf_configs(own, f'{key}.datasets.{i}')
    elif isinstance(cfg.get('dataset'), Mapping):
        yield from leaf_configs(cfg['dataset'], f'{key}.dataset')
    else:
        yield key, cfg


def check_is_one(cfg: dict, key: str, reason: str) -> None:
    """Checks that a data set is no wrapper.

    Args:
        cfg: Config of the data set.
        key: Its config key.
        reason: What needs a single data set, for the message.

    Raises:
        UserError: It is one.
    """
    if next(leaf_configs(cfg, key))[1] is not cfg:
        raise UserError(
            f'{key}.type={kind_name(cfg)!r} wraps other data sets, but {reason}: name one data set '
            'whose data_prefix.img_path holds all images, also in sub-folders, with all their '
            'names in its ann_file'
        )
