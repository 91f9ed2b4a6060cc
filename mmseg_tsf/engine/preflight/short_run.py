"""A few steps of a training, run in a temporary work dir."""

from __future__ import annotations

import contextlib
import copy
import tempfile
import uuid
from collections.abc import Callable, Iterator

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...models.segmentors import SemiSegmentor
from ...utils.runner import unwrap
from ..loops.active_learning_loop import ActiveLearningLoop


@contextlib.contextmanager
def short_run(cfg: Config) -> Iterator[Runner]:
    """Context with a runner that has a temporary work dir and writes no checkpoint.

    Nothing is resumed; the work dir, the checkpoints and the logging services of the config are not
    used. Where a method has parts that its first stage has not, the steps have them.

    Args:
        cfg: Training config; not changed.
    """
    cfg = copy.deepcopy(cfg)
    cfg.update(resume=False, visualizer=None, log_level='ERROR')
    cfg.experiment_name = uuid.uuid4().hex  # keeps the runs of one process apart
    cfg.default_hooks = dict(cfg.get('default_hooks') or {}, checkpoint=None)
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = folder
        runner = Runner.from_cfg(cfg)
        model = unwrap(runner)
        if isinstance(model, SemiSegmentor):
            model.begin_stage()
        yield runner


def run_steps(
    runner: Runner, num: int, after_step: Callable[[int], None], start: int | None = 0
) -> None:
    """Runs real training steps with hooks and loader, without rounds and validations.

    Args:
        runner: Runner of :func:`short_run`; can be used once.
        num: Maximum number of steps.
        after_step: Function that is called with the number of finished steps.
        start: Iteration of the first step, on which ramps and refinement depend; ``None`` for that
            of the checkpoint in ``load_from``.
    """
    loop = runner.train_loop
    loop.val_begin = runner.max_iters + 1
    loop._iter = start or 0
    if isinstance(loop, ActiveLearningLoop):
        loop.skip_rounds()
    runner.register_hook(_Steps(min(num, runner.max_iters), after_step, start is None))
    with contextlib.suppress(_EnoughError):
        runner.train()


class _EnoughError(Exception):
    """Ends a training from inside a step."""


class _Steps(Hook):
    priority = 'LOWEST'

    def __init__(self, num: int, after_step: Callable[[int], None], go_on: bool) -> None:
        self.num, self.after_step, self.go_on, self.done = num, after_step, go_on, 0

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if self.go_on:
            done = checkpoint.get('meta', {}).get('iter', 0)
            runner.train_loop._iter = min(done, runner.max_iters - self.num)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        self.done += 1
        self.after_step(self.done)
        if self.done >= self.num:
            raise _EnoughError
