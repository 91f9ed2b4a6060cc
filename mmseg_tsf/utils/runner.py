"""What hooks and loops ask of a runner."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def schedule_of(runner: Runner) -> tuple[int, int]:
    """First and last iteration of what ramps and moving averages run over.

    That is the whole training, or the stage at hand of a loop that begins anew in each.
    """
    return getattr(runner.train_loop, 'stage', (0, runner.max_iters))


def unwrap(runner: Runner):
    """The model without its distributed wrapper."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
