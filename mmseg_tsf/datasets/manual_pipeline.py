"""The pipeline of unlabelled images, in which no mask file is ever opened."""

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
from .transforms.resizing import SparseLabelResize


def with_manual_labels(cfg: dict) -> dict:
    """The config of unlabelled images with a loader of what people have labelled in them.

    Whatever loads masks, by any name, gives way to ``LoadManualAnnotations``, and whatever resizes
    to ``SparseLabelResize``, which loses no labelled pixel.

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
    """What a step will be built as; ``None`` where the registry will refuse it."""
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
    """Refuses a built pipeline that still loads masks, inside of another transform.

    Raises:
        UserError: Names the transform and the mend.
    """
    for step in dataset.pipeline.transforms:
        for inner in _all_transforms(step):
            if isinstance(inner, LoadsMasks):
                raise UserError(
                    f'the pipeline of SemiDataset.unlabelled has a {type(inner).__name__} inside '
                    f'of its {type(step).__name__}: put it at the top level, where what people '
                    'have labelled takes its place'
                )


def _all_transforms(step: object) -> Iterator[object]:
    if isinstance(step, (list, tuple)):
        for inner in step:
            yield from _all_transforms(inner)
    elif isinstance(step, BaseTransform) or hasattr(step, 'transforms'):
        yield step
        for inner in vars(step).values():
            yield from _all_transforms(inner)
