"""Whether the labels of training, validation and test mean the same, and can be learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmengine.config import Config
from mmseg.datasets import BaseSegDataset
from torch import nn

from ...datasets.checks import check_list, check_masks
from ...datasets.label_meaning import check_same_labels, without_files
from ...datasets.mask_counts import remarks
from ...datasets.wrappers import leaf_configs, leaves
from ...utils.errors import UserError

LABELLED = 'SemiDataset.labelled'


def check_evaluations(
    cfg: Config, lists: Sequence[str] = ('val_dataloader',), training: object = None
) -> None:
    """Checks lists and classes of validation and test, before anything is built from the config.

    Args:
        cfg: Config of a run.
        lists: Loaders whose lists are read now.
        training: Labelled images of the training; by default those of the config, if it has a
            ``SemiDataset``.

    Raises:
        UserError: A list is missing or broken, a data set names no classes, or a class id does not
            mean the same as in the training.
    """
    labelled = ((cfg.get('train_dataloader') or {}).get('dataset') or {}).get('labelled')
    if training is not None:
        first = {LABELLED: training}
    else:
        first = without_files(labelled, LABELLED) if isinstance(labelled, Mapping) else {}
    for loader in ('val_dataloader', 'test_dataloader'):
        source, key = (cfg.get(loader) or {}).get('dataset'), f'{loader}.dataset'
        if not isinstance(source, Mapping):
            continue
        for name, leaf in leaf_configs(source, key) if loader in lists else ():
            check_list(leaf, name)
        check_same_labels({**first, **without_files(source, key)})


def check_validation(dataset: object, key: str) -> list[str]:
    """Checks the masks of a validation or test.

    Args:
        dataset: Data set or stock wrapper; other kinds than MMSeg's are accepted.
        key: Its config key.

    Returns:
        list[str]: Remarks on the masks.

    Raises:
        UserError: See :func:`~mmseg_tsf.datasets.checks.check_masks`.
    """
    if not all(isinstance(leaf, BaseSegDataset) for _, leaf in leaves(dataset)):
        return []
    return remarks(check_masks(dataset, key), dataset.metainfo['classes'], key)


def check_class_weights(head: nn.Module, name: str) -> None:
    """Checks that the losses of a head have a weight for each of its classes.

    Args:
        head: Decode head or auxiliary head.
        name: Its config key.

    Raises:
        UserError: The number of weights is another; the message names the key.
    """
    losses = getattr(head, 'loss_decode', None)
    if getattr(head, 'out_channels', None) == 1:  # one weight, for the foreground
        return
    several = isinstance(losses, nn.ModuleList)
    for i, loss in enumerate(losses if several else [losses]):
        weights = getattr(loss, 'class_weight', None)
        if hasattr(weights, '__len__') and len(weights) != head.num_classes:
            raise UserError(
                f'{name}.loss_decode{f".{i}" if several else ""}.class_weight has {len(weights)} '
                f'weights, but there are {head.num_classes} classes: give one weight per class '
                '(tools/analysis/class_weights.py computes them)'
            )
