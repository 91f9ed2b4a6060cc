"""A few steps of a training as they would be, and nothing left of them."""

from __future__ import annotations

import contextlib
import copy
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..loops.active_learning_loop import ActiveLearningLoop


@contextlib.contextmanager
def short_run(cfg: Config) -> Iterator[Runner]:
    """A runner whose work dir is temporary and which writes no checkpoint.

    Args:
        cfg: A training config; a copy of it is changed. Nothing is resumed, and the work dir,
            logging services and checkpoints of it are not touched.
    """
    cfg = copy.deepcopy(cfg)
    cfg.update(resume=False, visualizer=None, log_level='ERROR')
    cfg.experiment_name = uuid.uuid4().hex  # keeps the runs of one process apart
    cfg.default_hooks = dict(cfg.get('default_hooks') or {}, checkpoint=None)
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = folder
        yield Runner.from_cfg(cfg)


def run_steps(
    runner: Runner, num: int, after_step: Callable[[int], None], start: int | None = 0
) -> None:
    """Takes real training steps, hooks and loader included; no round is held, nothing validated.

    Args:
        runner: Of :func:`short_run`; can be used once.
        num: Most steps.
        after_step: Is called with the number of steps done.
        start: Iteration of the first step, which ramps and refinement go by; ``None`` for the one
            at which ``load_from`` was written.
    """
    loop = runner.train_loop
    loop.val_begin = runner.max_iters + 1
    loop._iter = start or 0
    if isinstance(loop, ActiveLearningLoop):
        loop._open_campaign, loop._hold_round_if_due = lambda: None, lambda: True
    runner.register_hook(_Steps(min(num, runner.max_iters), after_step, start is None))
    with contextlib.suppress(_EnoughError):
        runner.train()


def now() -> float:
    """Seconds, after the device has finished what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


class _EnoughError(Exception):
    """Ends a training from inside of a step."""


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
