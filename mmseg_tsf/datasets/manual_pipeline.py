"""Pipeline of unlabelled images, which opens no mask file."""

from __future__ import annotations

import copy
import os.path as osp
from collections.abc import Iterator

from mmcv.transforms import BaseTransform, RandomChoiceResize, RandomResize, Resize
from mmcv.transforms import LoadAnnotations as LoadsMasks
from mmengine.dataset import BaseDataset
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS

from ..utils.errors import UserError
from .transforms import SparseLabelResize


def with_manual_labels(cfg: dict) -> dict:
    """Config of unlabelled images that loads manual labels instead of masks.

    ``LoadManualAnnotations`` replaces every transform that loads masks, and ``SparseLabelResize``,
    which keeps single labelled pixels, replaces every transform that resizes.

    Args:
        cfg: Config of the unlabelled data set.

    Raises:
        UserError: The pipeline does not end with ``PackSegInputs``.
    """
    cfg = copy.deepcopy(cfg)
    last = _class_of(cfg['pipeline'][-1]) if cfg.get('pipeline') else None
    if last is None or not issubclass(last, PackSegInputs):
        raise UserError('the pipeline of SemiDataset.unlabelled must end with PackSegInputs')
    root = osp.join(cfg.get('data_root') or '', cfg['data_prefix']['img_path'])
    cfg['pipeline'] = [_for_sparse_labels(step, root) for step in cfg['pipeline']]
    return cfg


def _class_of(step: dict) -> type | None:
    """Class of a step; ``None`` if its type is not registered."""
    kind = step.get('type')
    kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    return kind if isinstance(kind, type) else None


def _for_sparse_labels(step: dict, root: str) -> dict:
    kind = _class_of(step)
    if kind is None:
        return step
    if issubclass(kind, LoadsMasks):
        return dict(type='LoadManualAnnotations', folder=None, root=root)
    if issubclass(kind, Resize) and not issubclass(kind, SparseLabelResize):
        return dict(step, type='SparseLabelResize')
    if issubclass(kind, (RandomResize, RandomChoiceResize)) and 'resize_type' not in step:
        return dict(step, resize_type='SparseLabelResize')
    return step


def check_no_masks_are_read(dataset: BaseDataset) -> None:
    """Checks that no transform of a built pipeline loads masks inside another transform.

    Raises:
        UserError: A transform loads masks; the message names it.
    """
    for step in dataset.pipeline.transforms:
        for inner in all_transforms(step):
            if isinstance(inner, LoadsMasks):
                raise UserError(
                    f'the pipeline of SemiDataset.unlabelled has a {type(inner).__name__} inside '
                    f'its {type(step).__name__}: put it at the top level, where the loader of '
                    'manual labels replaces it'
                )


def all_transforms(step: object) -> Iterator[object]:
    """A transform and those inside of it, as in ``RandomApply`` and ``Compose``."""
    if isinstance(step, (list, tuple)):
        for inner in step:
            yield from all_transforms(inner)
    elif isinstance(step, BaseTransform) or hasattr(step, 'transforms'):
        yield step
        for inner in vars(step).values():
            yield from all_transforms(inner)
