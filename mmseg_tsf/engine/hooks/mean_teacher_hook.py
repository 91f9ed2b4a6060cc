"""Averaged networks as moving averages of the learners that they follow."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ...models.utils.ema import ema_update
from ...utils.errors import UserError
from ...utils.options import check_share
from ...utils.runner import schedule_of, unwrap


@HOOKS.register_module()
class MeanTeacherHook(Hook):
    """``average = d * average + (1 - d) * learner`` after every update of the learner.

    Which networks those are, the model says (``averages``), and at each iteration which of them
    move (``averages_to_move``). ``d = min(1 - 1 / (t + 1), decay)`` at the t-th update, counted
    from 0, so the first update copies the learner. The learners are copied before the first
    iteration, too. An average that was loaded from a checkpoint, or that has weights of its own
    (``independent``), is kept, and moved with ``decay`` from the start.

    Args:
        decay: Largest weight of the past, in [0, 1).
        average_buffers: Whether BN statistics are averaged, too; by default they are where the
            model's ``average_mode`` is 'eval', while a network in training mode gathers its own
            (AEL).

    Raises:
        UserError: ``decay`` lies outside [0, 1), or no average of the model moves.
    """

    priority = 'NORMAL'

    def __init__(self, decay: float = 0.99, average_buffers: bool | None = None) -> None:
        self.decay = check_share('MeanTeacherHook.decay', decay)
        self.average_buffers = average_buffers
        self._kept: set[str] = set()
        self._resumed = False

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Notes which averages were loaded, for a resumed run."""
        checkpoint['loaded_averages'] = sorted(self._kept)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restores which averages were loaded, when a run is resumed."""
        self._resumed = runner._resume
        if runner._resume:
            self._kept = set(checkpoint.get('loaded_averages', ()))

    def before_train(self, runner: Runner) -> None:
        """Copies the learners into their averages at the start of a run."""
        model = unwrap(runner)
        moving = {k: v for k, v in model.averages.items() if k not in model.snapshots}
        if not moving:
            raise UserError(
                f'{type(model).__name__} has no averaged network that moves: take MeanTeacherHook '
                'out of the hooks'
            )
        if runner.iter or self._resumed:  # a round may be held, and resumed, at iteration 0
            return
        self._kept = set(model.loaded_averages) | set(model.independent)
        for average, learner in moving.items():
            if average not in self._kept:
                ema_update(getattr(model, average), getattr(model, learner), decay=0.0)
        if model.loaded_averages:
            names = ', '.join(sorted(model.loaded_averages))
            print_log(f'Loaded from the checkpoint and kept: {names}.', 'current')

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Averages once per optimiser update."""
        wrapper = runner.optim_wrapper
        if not wrapper.should_update():
            return
        model = unwrap(runner)
        done = runner.iter - schedule_of(runner)[0]
        updates = done // getattr(wrapper, '_accumulative_counts', 1)
        buffers = self.average_buffers
        if buffers is None:
            buffers = model.average_mode == 'eval'
        for average in model.averages_to_move(done):
            # the first decays are small so that the initial copy fades; a loaded average stays
            decay = self.decay if average in self._kept else min(1 - 1 / (updates + 1), self.decay)
            source = getattr(model, model.averages[average])
            ema_update(getattr(model, average), source, decay, buffers)
