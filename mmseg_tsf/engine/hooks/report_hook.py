"""Hook that updates the report page of a run after every round."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS

from ...reporting.page import write_report
from ...reporting.snapshots import Truth, keep_snapshot
from ...utils.checkpoint_reading import read_checkpoint
from ...utils.errors import UserError
from ...utils.runner import unwrap


@HOOKS.register_module()
class ReportHook(Hook):
    """Updates ``<work_dir>/report/index.html`` after every round and at the end of the run.

    ``<work_dir>/report_data`` keeps thumbnails of the predictions for the images with the largest
    requests of each round. The hook changes no weights, random states or other files, so a run
    ends as it would without it; an error in the report is logged and not raised.

    Args:
        gallery: Maximum number of images shown per round, at least 0.
        truth: Config of a data set with the pool's images and masks, by which the pseudo-labels of
            the shown images are measured (for evaluation only); ``None`` for no measurement.

    Raises:
        UserError: ``gallery`` is not a whole number of at least 0.
    """

    priority = 'LOWEST'  # runs after the hooks that write the records

    def __init__(self, gallery: int = 12, truth: dict | None = None) -> None:
        if not isinstance(gallery, int) or gallery < 0:
            raise UserError(f'ReportHook.gallery={gallery!r} must be a whole number, at least 0')
        self.gallery, self.truth = gallery, truth

    def after_labels_change(self, runner: Runner) -> None:
        """Updates the page after an answered round."""
        self._refresh(runner)

    def after_train(self, runner: Runner) -> None:
        """Updates the page at the end of the run, or when it stops to wait for annotators."""
        self._refresh(runner)

    def _refresh(self, runner: Runner) -> None:
        if not is_main_process():
            return
        work_dir = Path(runner.work_dir)
        _or_warn('the thumbnails for the report', lambda: self._keep(runner, work_dir))
        _or_warn('the report', lambda: write_report(work_dir, gallery=self.gallery))

    def _keep(self, runner: Runner, work_dir: Path) -> None:
        """Keeps the predictions if a round is held at this iteration."""
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
    """Model with the weights of the query; those of the checkpoint if the stage restarted."""
    model = unwrap(runner)
    if runner.train_loop.start == 'continue':
        return model
    path = Path(runner.work_dir, f'iter_{runner.iter}.pth')
    checkpoint = read_checkpoint(path)
    model = copy.deepcopy(model)
    model.load_state_dict(checkpoint['state_dict'])
    return model


def _or_warn(what: str, work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as error:  # no error in a report may stop the training
        text = f'{what} could not be written, but training continues: {error}'
        print_log(text, 'current', logging.WARNING)
