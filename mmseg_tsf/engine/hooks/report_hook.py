"""A page on the run, written anew after every round."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS

from ...reporting.page import write_report
from ...reporting.snapshots import Truth, keep_snapshot
from ...utils.errors import UserError
from ...utils.runner import unwrap


@HOOKS.register_module()
class ReportHook(Hook):
    """Keeps ``<work_dir>/report/index.html`` up to date: after every round, and at the end.

    Of the images that a round asks most of, ``<work_dir>/report_data`` keeps small pictures of
    what the network believed. Weights, random states and files of the run are left alone, so a
    run ends as it would have without this hook; a report that fails is said and not raised.

    Args:
        gallery: Most images of a round that are shown, at least 0.
        truth: Config of images of the pool with their masks, which measure the labels of those
            that are shown, for evaluation only; ``None`` for no evaluation.

    Raises:
        UserError: A wrong ``gallery``.
    """

    priority = 'LOWEST'  # others complete their records first

    def __init__(self, gallery: int = 12, truth: dict | None = None) -> None:
        if not isinstance(gallery, int) or gallery < 0:
            raise UserError(f'ReportHook.gallery={gallery!r} must be a whole number, at least 0')
        self.gallery, self.truth = gallery, truth

    def after_labels_change(self, runner: Runner) -> None:
        """Shows the round that was answered."""
        self._refresh(runner)

    def after_train(self, runner: Runner) -> None:
        """Shows how the run ended, or that it waits for people."""
        self._refresh(runner)

    def _refresh(self, runner: Runner) -> None:
        if not is_main_process():
            return
        work_dir = Path(runner.work_dir)
        _or_warn('the pictures for the report', lambda: self._keep(runner, work_dir))
        _or_warn('the report', lambda: write_report(work_dir, gallery=self.gallery))

    def _keep(self, runner: Runner, work_dir: Path) -> None:
        """Keeps what the network believes, where a round is held at this very iteration."""
        loop = runner.train_loop
        boundaries = getattr(loop, 'boundaries', [])
        if not self.gallery or runner.iter not in boundaries:
            return
        number = boundaries.index(runner.iter)
        if loop.store.state(number) == 'empty':
            return
        model, truth = model_of_query(runner), None
        if self.truth is not None:
            truth = Truth(DATASETS.build(copy.deepcopy(self.truth)), model.num_classes)
        keep_snapshot(work_dir, number, model, loop.campaign, self.gallery, truth)


def model_of_query(runner: Runner):
    """The model with the weights that asked: its own, or the checkpoint's where it began anew."""
    model = unwrap(runner)
    if runner.train_loop.start == 'continue':
        return model
    path = Path(runner.work_dir, f'iter_{runner.iter}.pth')
    checkpoint = torch.load(path, map_location='cpu', weights_only=False)  # our own file
    model = copy.deepcopy(model)
    model.load_state_dict(checkpoint['state_dict'])
    return model


def _or_warn(what: str, work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as error:  # whatever it is, the training is worth more
        text = f'{what} could not be written, and training goes on: {error}'
        print_log(text, 'current', logging.WARNING)
