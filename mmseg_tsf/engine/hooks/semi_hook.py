"""What every semi-supervised run needs around its steps."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.optim import BaseOptimWrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ...datasets.label_meaning import check_same_labels
from ...utils.errors import UserError
from ...utils.main_process import on_main_process
from ...utils.runner import schedule_of, unwrap
from ..durable_saves import save_before_removing
from ..loops.checkpoints import mend_last_checkpoint
from ..optimizers import add_part_optimizers
from ..preflight.label_check import (
    LABELLED,
    check_evaluations,
)
from ..preflight.run_check import (
    check_branches,
    check_heads,
    check_loops,
    check_parallel,
    check_snapshots,
)
from ..preflight.size_check import check_crop, check_patches
from ..rates import check_rates
from ..resume_settings import hold_settings, note_settings
from ..run_info import finish_record, start_record
from .mean_teacher_hook import MeanTeacherHook
from .plar_hook import PLARHook
from .stop_hook import StopHook


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
        self._changes: list[str] = []
        self._names: list[str] = []
        self._first_bad: torch.Tensor | None = None
        self._trained_on: dict = {}

    def before_run(self, runner: Runner) -> None:
        """Builds the optimisers of parts, and looks for the checkpoint, before it is loaded.

        Raises:
            UserError: There is another ``SemiHook``, or a stage between rounds has a learning rate
                of 0.
        """
        if sum(isinstance(hook, SemiHook) for hook in runner.hooks) > 1:
            raise UserError(
                'the config has SemiHook twice: take it out of custom_hooks, because the schedules '
                'in configs/_base_ have it (default_hooks.semi)'
            )
        if not isinstance(runner.optim_wrapper, BaseOptimWrapper):
            return  # a validation or a test
        on_main_process(lambda: mend_last_checkpoint(runner))
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook):
                save_before_removing(hook)
        runner.register_hook(StopHook())
        add_part_optimizers(runner)
        if hasattr(runner.train_loop, 'boundaries'):
            runner.train_loop.initial.note(runner)
            check_rates(runner, runner.train_loop.spans)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Lets the settings of the config hold in a run that is resumed, and says what differs.

        Raises:
            UserError: They cannot hold, or the checkpoint does not fit.
        """
        self._trained_on = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
        if not (runner._resume and isinstance(runner.optim_wrapper, BaseOptimWrapper)):
            return
        self._changes = hold_settings(runner, checkpoint)
        for change in self._changes:
            print_log(f'Resumed run: {change} from now on', 'current')

    def before_train(self, runner: Runner) -> None:
        """Checks that data set and hooks give the method what it needs."""
        model = unwrap(runner)
        dataset = runner.train_loop.dataloader.dataset
        check_branches(runner, model, dataset)
        for is_needed, hook, reason in (
            (
                set(model.averages) - set(model.snapshots),
                MeanTeacherHook,
                'averages networks, which never move without it',
            ),
            (model.refinements, PLARHook, 'refines labels, which never begins without it'),
        ):
            there = (own for own in runner.hooks if isinstance(own, hook))
            if is_needed and all(getattr(own, 'begin', 0) is None for own in there):
                raise UserError(
                    f'{type(model).__name__} {reason}: add dict(type={hook.__name__!r}) to the '
                    'hooks'
                )
        if getattr(dataset, 'labelled', None) is not None:
            check_evaluations(runner.cfg, lists=(), training=dataset.labelled)
        if runner._resume:
            self._check_classes(dataset, LABELLED)
        for name in model.learners:
            check_heads(getattr(model, name), len(dataset.metainfo['classes']))
        check_crop(model, dataset)
        check_patches(model, dataset)
        check_loops(runner)
        check_snapshots(runner)
        check_parallel(runner)
        model.is_checked = True
        start_record(runner, self._changes)

    def before_test(self, runner: Runner) -> None:
        """Checks that the test images have the classes of the checkpoint.

        Raises:
            UserError: They have others, or in another order.
        """
        self._check_classes(runner.test_loop.dataloader.dataset, 'test_dataloader.dataset')

    def _check_classes(self, dataset, key: str) -> None:
        """Checks that a data set has the classes that the loaded weights were trained on."""
        metainfo = getattr(dataset, 'metainfo', {})
        classes = self._trained_on.get('classes')
        if classes and metainfo.get('classes'):
            trained = SimpleNamespace(metainfo=dict(metainfo, classes=classes))
            own = SimpleNamespace(metainfo=metainfo)
            check_same_labels({'the checkpoint': trained, key: own})

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
        if self._is_about_to_save(runner):  # and to delete an older checkpoint
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
        note_settings(runner, checkpoint)

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
