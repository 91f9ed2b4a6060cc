"""Questions that hooks, loops and tools ask a runner."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn


def schedule_of(runner: Runner) -> tuple[int, int]:
    """First and last iteration of the schedule of ramps and moving averages.

    Returns:
        tuple[int, int]: The whole training, or the current stage of a loop that starts the
        training again in every round.
    """
    return getattr(runner.train_loop, 'stage', (0, runner.max_iters))


def unwrap(runner: Runner) -> nn.Module:
    """Model of a runner without its distributed wrapper.

    Args:
        runner: Runner whose model may be wrapped.
    """
    return unwrap_model(runner.model)


def unwrap_model(model: nn.Module) -> nn.Module:
    """Model without its distributed wrapper.

    Args:
        model: Model, wrapped or not.
    """
    return model.module if is_model_wrapper(model) else model
