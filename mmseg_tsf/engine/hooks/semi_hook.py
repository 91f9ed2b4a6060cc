"""What every semi-supervised run needs around its steps."""

from __future__ import annotations

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.optim import BaseOptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.datasets import BaseSegDataset
from mmseg.models.decode_heads import STDCHead
from mmseg.registry import HOOKS

from ...datasets.checks import check_masks
from ...datasets.samplers import SemiInfiniteSampler
from ...datasets.wrappers import parts_of
from ...utils.errors import UserError
from ...utils.runner import schedule_of, unwrap
from ..loops.network_metrics import check_monitors
from ..loops.semi_val_loop import SemiValLoop
from ..optimizers import add_part_optimizers
from ..preflight.size_check import check_crop, check_patches
from ..run_info import finish_record, start_record
from .mean_teacher_hook import MeanTeacherHook
from .plar_hook import PLARHook


@HOOKS.register_module()
class SemiHook(Hook):
    """Checks the run before it starts, seeds its steps and stops it when a loss is not finite.

    Seeding torch's generators by (seed, iteration, rank) makes dropout and mixing functions of
    the position in the run, so a resumed run equals an uninterrupted one.

    Args:
        check_interval: Iterations between looks at the losses on a GPU, where looking makes the
            host wait; on a CPU every iteration is looked at. A checkpoint is never written
            without a look.

    Raises:
        UserError: Data and method do not fit, or a loss is not finite.
    """

    priority = 'VERY_HIGH'

    def __init__(self, check_interval: int = 50) -> None:
        self.check_interval = check_interval
        self._names: list[str] = []
        self._first_bad: torch.Tensor | None = None

    def before_run(self, runner: Runner) -> None:
        """Builds the optimisers of parts, before a checkpoint is loaded into them.

        Raises:
            UserError: There is another ``SemiHook``.
        """
        if sum(isinstance(hook, SemiHook) for hook in runner.hooks) > 1:
            raise UserError(
                'the config has SemiHook twice: take it out of custom_hooks, because the schedules '
                'in configs/_base_ have it (default_hooks.semi)'
            )
        if isinstance(runner.optim_wrapper, BaseOptimWrapper):  # a config where nothing trains
            add_part_optimizers(runner)

    def before_train(self, runner: Runner) -> None:
        """Checks that data set and hooks give the method what it needs."""
        model = unwrap(runner)
        dataset = runner.train_loop.dataloader.dataset
        self._check_branches(runner, model, dataset)
        for is_needed, hook, reason in (
            (model.averages, MeanTeacherHook, 'averages networks, which never move without it'),
            (model.refinements, PLARHook, 'refines labels, which never begins without it'),
        ):
            there = (own for own in runner.hooks if isinstance(own, hook))
            if is_needed and all(getattr(own, 'begin', 0) is None for own in there):
                raise UserError(
                    f'{type(model).__name__} {reason}: add dict(type={hook.__name__!r}) to the '
                    'hooks'
                )
        for name in model.learners:
            check_heads(getattr(model, name), len(dataset.metainfo['classes']))
        check_crop(model, dataset)
        check_patches(model, dataset)
        check_loops(runner)
        check_parallel(runner)
        model.is_checked = True
        start_record(runner)

    def _check_branches(self, runner: Runner, model, dataset) -> None:
        branches = set(getattr(dataset, 'branches', ()))
        for hook in runner.hooks:
            branches |= set(getattr(hook, 'adds_branches', ()))
        missing = [name for name in model.required_branches if name not in branches]
        if missing:
            raise UserError(
                f'{type(model).__name__} needs the branches {", ".join(model.required_branches)}, '
                f'but {missing[0]!r} is missing: {_REMEDIES.get(missing[0], "")}'
            )

    def after_train(self, runner: Runner) -> None:
        """Completes the record of the run."""
        finish_record(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Seeds the step and tells the model how far the training has come."""
        key = np.random.SeedSequence((runner.seed or 0, runner.iter, get_rank()))
        torch.manual_seed(int(key.generate_state(1, np.uint64)[0] >> 1))
        (begin, end), model = schedule_of(runner), unwrap(runner)
        model.iteration = runner.iter - begin
        model.progress.fill_(model.iteration / (end - begin))

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Remembers, on the device, the first iteration at which each loss was not finite."""
        losses = {k: v for k, v in (outputs or {}).items() if 'loss' in k}
        values = torch.stack([torch.as_tensor(v).detach().float() for v in losses.values()])
        if self._names != list(losses):
            self._names = list(losses)
            self._first_bad = values.new_full((len(losses),), -1, dtype=torch.int64)
        bad = ~values.isfinite() & (self._first_bad < 0)
        self._first_bad = self._first_bad.masked_fill(bad, runner.iter)
        if self._is_about_to_save(runner):  # which deletes an older checkpoint first
            self._raise_if_broken(runner)
        elif not values.is_cuda or self.every_n_train_iters(runner, self.check_interval):
            self._raise_if_bad()

    def _is_about_to_save(self, runner: Runner) -> bool:
        return any(
            self.every_n_train_iters(runner, hook.interval) or self.is_last_train_iter(runner)
            for hook in runner.hooks
            if isinstance(hook, CheckpointHook)
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Names the method's networks, and keeps a broken model from replacing a checkpoint."""
        self._raise_if_broken(runner)
        checkpoint['meta']['method'] = unwrap(runner).describe()

    def _raise_if_broken(self, runner: Runner) -> None:
        self._raise_if_bad()
        model = unwrap(runner)
        for name in model.network_names:
            finite = [p.isfinite().all() for p in getattr(model, name).parameters()]
            if not torch.stack(finite).all():
                raise UserError(
                    f'the weights of the {name} are not finite at iteration {runner.iter + 1}: '
                    'lower the learning rate; the last checkpoint on disk is from before'
                )

    def _raise_if_bad(self) -> None:
        if self._first_bad is None:
            return
        iterations = self._first_bad.tolist()
        bad = [
            (when, name) for when, name in zip(iterations, self._names, strict=True) if when >= 0
        ]
        if bad:
            when, name = min(bad, key=lambda pair: (pair[0], pair[1] == 'loss'))
            print_log('Training stopped; the last checkpoint on disk is from before.', 'current')
            raise UserError(
                f'{name} is not finite at iteration {when + 1}: lower the learning rate, or resume '
                'from the last checkpoint with other settings'
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
    validation = getattr(getattr(runner.val_loop, 'dataloader', None), 'dataset', None)
    known = validation is not None and all(
        isinstance(part, BaseSegDataset) for part in parts_of(validation)
    )
    if known and getattr(loader.dataset, 'check_files', False):
        check_masks(validation)


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
