"""Whether model, data and hooks of a built run fit each other."""

from __future__ import annotations

import logging

import torch
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.models.decode_heads import STDCHead

from ...datasets.mask_counts import check_several_classes
from ...datasets.samplers import SemiInfiniteSampler
from ...utils.errors import UserError
from ...utils.runner import unwrap
from ..loops.network_metrics import check_monitors
from ..loops.semi_val_loop import SemiValLoop
from .label_check import LABELLED, check_class_weights, check_validation

_VIEWS = 'set SemiDataset.views=dict({name}=[...]), transforms that change colours'
_REMEDIES = {
    'strong': _VIEWS.format(name='strong'),
    'strong_2': _VIEWS.format(name='strong_2'),
    'labelled': "wrap the training data in dict(type='SemiDataset', labelled=..., unlabelled=...)",
    'unlabelled': 'give SemiDataset.unlabelled (or train SupervisedOnly)',
    'paste': 'set SemiDataset.paste_prob=0.5, or adaptive_copy_paste=False in the model',
    'partner': "add dict(type='AdaptivePartnerHook') to the hooks, or set "
    'adaptive_cutmix=False in the model',
}


def check_branches(runner: Runner, model, dataset) -> None:
    """Checks that data set and hooks give the branches that the method needs.

    Raises:
        UserError: One is missing; the message names the remedy.
    """
    branches = set(getattr(dataset, 'branches', ()))
    for hook in runner.hooks:
        branches |= set(getattr(hook, 'adds_branches', ()))
    missing = [name for name in model.required_branches if name not in branches]
    if missing:
        raise UserError(
            f'{type(model).__name__} needs the branches {", ".join(model.required_branches)}, '
            f'but {missing[0]!r} is missing: {_REMEDIES.get(missing[0], "")}'
        )


def check_heads(network, num_classes: int) -> None:
    """Checks that heads have the classes of the data set; STDC's boundary head is exempt.

    Raises:
        UserError: Names the head.
    """
    heads = dict(decode_head=network.decode_head)
    if network.with_auxiliary_head:
        heads['auxiliary_head'] = network.auxiliary_head
    for name, head in heads.items():
        for own in head if isinstance(head, torch.nn.ModuleList) else [head]:
            if own.num_classes != num_classes and not isinstance(own, STDCHead):
                raise UserError(
                    f'the data set has {num_classes} classes, {name}.num_classes is '
                    f'{own.num_classes}: set them alike'
                )
            check_class_weights(own, name)


def check_parallel(runner: Runner) -> None:
    """Checks that DDP does not wait for parameters that get no gradient in some iterations.

    Raises:
        UserError: It would.
    """
    model = unwrap(runner)
    if model.leaves_parameters_out and not getattr(runner.model, 'find_unused_parameters', True):
        raise UserError(
            f'networks of {type(model).__name__} do not learn in all iterations, at which training '
            'on several GPUs stops: set find_unused_parameters=True at the top of the config'
        )


def check_loops(runner: Runner) -> None:
    """Checks for epochs of a sampler that never ends, and for broken validation data.

    Raises:
        UserError: Something is wrong; the message names the key or the file, and the remedy.
    """
    loader = runner.train_loop.dataloader
    if isinstance(runner.train_loop, EpochBasedTrainLoop) and isinstance(
        loader.sampler, SemiInfiniteSampler
    ):
        raise UserError(
            'SemiInfiniteSampler never ends an epoch: take train_cfg.type=IterBasedTrainLoop, or '
            "train_dataloader.sampler=dict(type='DefaultSampler', shuffle=True)"
        )
    networks = None
    if isinstance(runner.val_loop, SemiValLoop):
        networks = runner.val_loop.networks or unwrap(runner).network_names
    check_monitors(runner, networks)
    has_rounds = hasattr(runner.train_loop, 'boundaries')
    if not getattr(loader.dataset, 'has_labels', True) and not has_rounds:
        raise UserError(
            'the list SemiDataset.labelled.ann_file is empty, so there is nothing to train on: '
            'name labelled images, or let an ActiveLearningLoop ask for labels first'
        )
    counts = getattr(loader.dataset, 'mask_counts', None)
    if counts is not None and not has_rounds:
        check_several_classes(counts, loader.dataset.metainfo['classes'], LABELLED)
    validation = getattr(getattr(runner.val_loop, 'dataloader', None), 'dataset', None)
    if validation is not None and getattr(loader.dataset, 'check_files', False):
        for remark in check_validation(validation, 'val_dataloader.dataset'):
            print_log(remark, 'current', logging.WARNING)


def check_snapshots(runner: Runner) -> None:
    """Checks that snapshots take weights in this run, and that none is asked for predictions.

    Raises:
        UserError: One is, or they take none; the message names the key and the remedy.
    """
    model = unwrap(runner)
    if not model.snapshots:
        return
    name, boundaries = type(model).__name__, getattr(runner.train_loop, 'boundaries', ())
    if model.predict_on in model.snapshots:
        raise UserError(
            f'model.test_cfg.predict_on={model.predict_on!r}: this network of {name} has the '
            'weights of the stage before, or none: leave predict_on out in training'
        )
    if not any(boundaries) and not model.has_snapshots:
        raise UserError(
            f'the {model.snapshots[0]} of {name} takes weights where a stage ends and another one '
            'begins, and no stage of this run does, so unlabelled images are never used: take '
            "train_cfg.type='ActiveLearningLoop', and train before its last round"
        )
