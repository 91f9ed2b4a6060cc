"""Boundaries of stages, checks of a run with rounds, and the state for fresh stages."""

from __future__ import annotations

import copy
import io
import logging
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...active_learning.store.round_store import MOST_ROUNDS
from ...utils.checkpoint_files import check_checkpoint, write_checkpoint
from ...utils.errors import UserError
from ...utils.runner import unwrap


def stage_boundaries(
    max_iters: int, rounds: int, stages: Sequence[int] | None, start: str
) -> list[int]:
    """Iterations after which a round is held.

    Args:
        max_iters: Total number of iterations.
        rounds: Number of rounds.
        stages: Numbers of iterations of the ``rounds + 1`` stages, or ``None`` for equal shares.
        start: ``'continue'`` or ``'fresh'``.

    Raises:
        UserError: An option is invalid.
    """
    if start not in ('continue', 'fresh'):
        raise UserError(f"train_cfg.start must be 'continue' or 'fresh', not {start!r}")
    if isinstance(rounds, bool) or not isinstance(rounds, int) or not 1 <= rounds <= MOST_ROUNDS:
        raise UserError(
            f'train_cfg.rounds={rounds!r} must be a whole number from 1 to {MOST_ROUNDS}'
        )
    if stages is None:
        if max_iters <= rounds:
            raise UserError(
                f'max_iters={max_iters} is too short for {rounds + 1} stages '
                '(train_cfg.rounds plus one)'
            )
        borders = [max_iters * r // (rounds + 1) for r in range(rounds + 2)]
        stages = [end - begin for begin, end in pairwise(borders)]
        given = f'max_iters={max_iters} in {rounds + 1} stages (one more than rounds)'
    else:
        given = f'train_cfg.stages={stages!r}'
        whole = isinstance(stages, (list, tuple)) and all(isinstance(s, int) for s in stages)
        if not whole or len(stages) != rounds + 1 or sum(stages) != max_iters:
            raise UserError(
                f'{given} must be {rounds + 1} whole numbers (one more than rounds) that add up '
                f'to max_iters={max_iters}'
            )
    if min(stages[1:]) < 1 or stages[0] < 0:
        raise UserError(f'{given}: only the first stage may be empty')
    if start == 'fresh' and len(set(stages[1:] if stages[0] == 0 else stages)) > 1:
        raise UserError(
            f"{given}: with start='fresh' all stages must have the same length, but for an empty "
            'first one'
        )
    return list(accumulate(stages))[:-1]


def check_configs(**components: dict | None) -> None:
    """Checks that components are given as configs.

    Args:
        **components: Config of each component by its key in ``train_cfg``.

    Raises:
        UserError: A component is not a dict.
    """
    for name, component in components.items():
        if component is not None and not isinstance(component, dict):
            example = 'dict(total=0.1)' if name == 'budget' else 'dict(...)'
            raise UserError(f'train_cfg.{name}={component!r} must be a config: {name}={example}')


def check_run(loop) -> None:
    """Checks that the data and the method can use the labels of the rounds.

    Args:
        loop: ``ActiveLearningLoop``.

    Raises:
        UserError: Something is missing; the message names the remedy.
    """
    dataset, sampler = loop.dataloader.dataset, loop.dataloader.sampler
    if getattr(dataset, 'unlabelled', None) is None:
        raise UserError('ActiveLearningLoop needs SemiDataset.unlabelled: give it the pool')
    if not hasattr(sampler, 'skip'):
        raise UserError(
            "ActiveLearningLoop needs train_dataloader.sampler=dict(type='SemiInfiniteSampler'), "
            'so that a resumed run continues with the next sample'
        )
    if not dataset.has_labels and loop.boundaries[0]:
        raise UserError(
            'the list SemiDataset.labelled.ann_file is empty, so there is nothing to train on '
            'before the first round: set train_cfg.stages with 0 as its first entry'
        )
    counts = (loop.runner.cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    odd = [boundary for boundary in loop.boundaries if boundary % counts]
    if odd:
        raise UserError(
            f'rounds after the iterations {odd} would cut optimiser steps of {counts} batches '
            '(optim_wrapper.accumulative_counts): give train_cfg.stages in multiples of that'
        )
    model = unwrap(loop.runner)
    if not model.uses_manual_labels and not dataset.supervise_manual:
        raise UserError(
            f'{type(model).__name__} has no pseudo-labels that the labels of the oracle could '
            'replace: set model.manual_weight=1.0 or, for a supervised method, '
            'SemiDataset.supervise_manual=True, or they are never used'
        )


def warn_of_long_schedules(cfg: Config, stage: int) -> None:
    """Warns of schedules that are longer than a stage which restarts them.

    Args:
        cfg: Config of the run.
        stage: Number of iterations of a stage.
    """
    schedules = cfg.get('param_scheduler') or ()
    for i, schedule in enumerate([schedules] if isinstance(schedules, dict) else schedules):
        if schedule.get('end', 0) > stage:
            print_log(
                f'param_scheduler.{i}.end={schedule.end} exceeds the {stage} iterations of a '
                "stage, but with start='fresh' every stage restarts it",
                'current',
                logging.WARNING,
            )


class InitialState:
    """Weights, optimiser and schedules before the first iteration.

    Args:
        path: File that stores the weights. Optimiser and schedules are those of the config, which
            may have changed when a run is resumed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._optimizer: dict = {}
        self._schedulers: list[dict] = []

    def note(self, runner: Runner) -> None:
        """Notes optimiser and schedules as they are built, before a checkpoint is loaded."""
        self._optimizer = copy.deepcopy(runner.optim_wrapper.state_dict())
        self._schedulers = [dict(own.state_dict()) for own in runner.param_schedulers or ()]

    def keep(self, runner: Runner) -> None:
        """Writes the file at the start of a run.

        Raises:
            UserError: The run is resumed and the file is missing.
        """
        if runner.iter and not self.path.exists():
            raise UserError(
                f'{self.path} is missing, from which stages restart with start=fresh: restore it'
            )
        if runner.iter:
            check_checkpoint(self.path, 'restore it from a copy')
            return
        content = io.BytesIO()  # torch.save to a file hides the cause of a full disk
        torch.save(dict(model=unwrap(runner).state_dict()), content)
        write_checkpoint(self.path, content.getvalue())

    def restore(self, runner: Runner) -> None:
        """Restores the initial state, of all but the snapshots of what was trained."""
        state = torch.load(self.path, map_location='cpu', weights_only=True)
        unwrap(runner).begin_stage(state['model'])
        runner.optim_wrapper.load_state_dict(copy.deepcopy(self._optimizer))
        for scheduler, own in zip(runner.param_schedulers or (), self._schedulers, strict=True):
            scheduler.load_state_dict(own)
