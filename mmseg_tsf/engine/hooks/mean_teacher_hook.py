"""The teacher as moving average of the student."""

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
    """``teacher = d * teacher + (1 - d) * student`` after every update of the student.

    ``d = min(1 - 1 / (t + 1), decay)`` at the t-th update, counted from 0, so the first update
    copies the student. Before the first iteration the student is copied too. A teacher that was
    loaded is kept, and averaged with ``decay`` from the start.

    Args:
        decay: Largest weight of the past, in [0, 1).
        average_buffers: Average BN statistics too; by default where the model's
            ``teacher_mode`` is 'eval', while a teacher in training mode gathers its own (AEL).

    Raises:
        UserError: ``decay`` outside [0, 1).
        UserError: The model has no teacher.
    """

    priority = 'NORMAL'

    def __init__(self, decay: float = 0.99, average_buffers: bool | None = None) -> None:
        self.decay = check_share('MeanTeacherHook.decay', decay)
        self.average_buffers = average_buffers
        self._keeps_loaded = self._resumed = False

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Notes whether the teacher was loaded, for a resumed run."""
        checkpoint['teacher_was_loaded'] = self._keeps_loaded

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Takes the note up when a run is resumed."""
        self._resumed = runner._resume
        if runner._resume:
            self._keeps_loaded = checkpoint.get('teacher_was_loaded', False)

    def before_train(self, runner: Runner) -> None:
        """Copies the student into the teacher at the start of a run."""
        model = unwrap(runner)
        if not getattr(model, 'has_teacher', False):
            raise UserError(
                f'{type(model).__name__} has no teacher: take MeanTeacherHook out of custom_hooks'
            )
        if runner.iter or self._resumed:  # a round may be held, and resumed, at iteration 0
            return
        if not model.teacher_was_loaded:
            ema_update(model.teacher, model.student, decay=0.0)
        else:
            self._keeps_loaded = True
            print_log('The teacher was loaded from the checkpoint and is kept.', 'current')

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Averages once per optimiser update."""
        wrapper = runner.optim_wrapper
        if not wrapper.should_update():
            return
        model = unwrap(runner)
        done = runner.iter - schedule_of(runner)[0]
        updates = done // getattr(wrapper, '_accumulative_counts', 1)
        # the first decays are small so that the initial copy fades; a loaded teacher is to stay
        decay = self.decay if self._keeps_loaded else min(1 - 1 / (updates + 1), self.decay)
        buffers = self.average_buffers
        if buffers is None:
            buffers = model.teacher_mode == 'eval'
        ema_update(model.teacher, model.student, decay, buffers)
