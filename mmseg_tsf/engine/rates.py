"""Learning rates of a whole training, computed before it begins."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence

from mmengine.runner import EpochBasedTrainLoop, Runner

from ..utils.errors import UserError

NEGLIGIBLE = 1e-9
"""Share of the first learning rate below which nothing is learnt."""


def step_schedulers(schedulers: Iterable, epoch_length: int | None) -> Iterator[None]:
    """Steps schedules as a training does, one iteration each time.

    Args:
        schedulers: Schedules that are built.
        epoch_length: Number of iterations of an epoch; ``None`` for a training without epochs.
    """
    for done in itertools.count(1):
        ends_epoch = epoch_length is not None and done % epoch_length == 0
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of steps of a schedule without one of the optimiser
            for scheduler in schedulers:
                if ends_epoch or not scheduler.by_epoch:
                    scheduler.step()
        yield


def epoch_length(runner: Runner) -> int | None:
    """Number of iterations of an epoch, or ``None`` if the run has no epochs."""
    loop = runner.train_loop
    return len(loop.dataloader) if isinstance(loop, EpochBasedTrainLoop) else None


def highest_rates(runner: Runner, spans: Sequence[tuple[int, int]]) -> list[float]:
    """Highest learning rate in each span of iterations, as a share of the highest at the start.

    The optimisers of parts are left out, and so are schedules that follow metrics.

    Args:
        runner: Runner whose optimiser and schedules are built and have not made a step.
        spans: First iteration of each span, and the iteration after its last one.
    """
    optimizer = _Rates(runner.optim_wrapper)
    schedulers = [
        optimizer.adopt(scheduler)
        for scheduler in runner.param_schedulers or ()
        if scheduler.optimizer is runner.optim_wrapper
        and not getattr(scheduler, 'need_val_args', False)
    ]
    initial = max(group.get('initial_lr', group['lr']) for group in optimizer.param_groups)
    steps, rates = step_schedulers(schedulers, epoch_length(runner)), []
    for _ in range(max(end for _, end in spans)):
        rates.append(max(group['lr'] for group in optimizer.param_groups))
        next(steps)
    return [max(rates[begin:end]) / initial if initial else 0.0 for begin, end in spans]


def check_rates(runner: Runner, spans: Sequence[tuple[int, int]]) -> None:
    """Checks that something is learnt in every span of iterations; see :func:`highest_rates`.

    Many schedules end with an iteration at a rate of 0, so a span of one iteration may be that.

    Raises:
        UserError: The learning rate is 0 in a whole span.
    """
    looked_at = [(begin - (end - begin == 1 and begin > 0), end) for begin, end in spans]
    for (begin, end), rate in zip(spans, highest_rates(runner, looked_at), strict=True):
        if rate <= NEGLIGIBLE:
            raise UserError(
                f'the learning rate is 0 from iteration {begin} to {end}, so nothing would be '
                'learnt there: let param_scheduler end later (its key "end"; the rate is 0 in its '
                'last iteration), give it an eta_min, or lower train_cfg.max_iters'
            )


class _Rates:
    """Learning rates of an optimiser without its parameters, each different group once."""

    def __init__(self, wrapper) -> None:
        main = getattr(wrapper.optimizer, 'main', wrapper.optimizer)
        different = {_settings(group): i for i, group in enumerate(main.param_groups)}
        self.places = sorted(different.values())
        self.param_groups = [_without_parameters(main.param_groups[i]) for i in self.places]

    def adopt(self, scheduler):
        """Copy of a schedule that changes these rates."""
        own = copy.copy(scheduler)
        own.optimizer = self
        own.base_values = [scheduler.base_values[i] for i in self.places]
        return own

    def step(self) -> None:
        """What schedules look for in an optimiser; nothing is done."""


def _without_parameters(group: dict) -> dict:
    return {key: value for key, value in group.items() if key != 'params'}


def _settings(group: dict) -> tuple:
    return tuple(sorted((key, repr(value)) for key, value in _without_parameters(group).items()))
