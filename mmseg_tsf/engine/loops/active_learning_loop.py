"""Training interrupted by rounds of active learning."""

from __future__ import annotations

import bisect
import contextlib
import logging
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop
from mmseg.registry import LOOPS

from ...active_learning.campaign.builder import build_campaign
from ...active_learning.campaign.resuming import check_campaign, open_campaign
from ...active_learning.pool.pool_pass import evaluation_mode
from ...active_learning.store.round_log import FINISHED, RoundLog, figures
from ...active_learning.store.round_store import CAMPAIGN, RoundStore
from ...active_learning.store.verification import check_answers, check_rounds
from ...utils.errors import UserError, explain_disk_errors_in
from ...utils.files import remove_leftovers
from ...utils.main_process import on_main_process
from ...utils.runner import unwrap
from .checkpoints import boundary_checkpoint
from .stages import InitialState, check_configs, check_run, stage_boundaries, warn_of_long_schedules


@LOOPS.register_module()
class ActiveLearningLoop(IterBasedTrainLoop):
    """``IterBasedTrainLoop`` that requests labels between the stages of the training.

    Stage 0 trains on the labelled images of :class:`~mmseg_tsf.datasets.SemiDataset`. Each stage
    but the last is followed by a round: checkpoint, validation, query, answer. Requests and
    answers are written to ``<work_dir>/rounds`` (see ``RoundStore``), metrics and costs to
    ``<work_dir>/active_learning.jsonl``. A run that was killed and resumed requests nothing twice
    and ends like an uninterrupted one.

    Args:
        runner: Runner.
        dataloader: Loader of a ``SemiDataset``, whose unlabelled images are the pool.
        max_iters: Total number of iterations.
        rounds: Number of rounds.
        query: Config of a query strategy.
        budget: Options of ``Budget``.
        oracle: Config of an oracle.
        selector: Config of a selector; single pixels by default.
        first_query: Config of the strategy of round 0 (``SeedQuery``); ``query`` by default.
        stages: Numbers of iterations of the ``rounds + 1`` stages; equal shares of ``max_iters`` by
            default.
        start: ``'continue'`` to keep the weights between stages, or ``'fresh'`` to restart every
            stage from the initial weights, learning rates and ramps (all stages must have the same
            length, and ``param_scheduler`` must span one of them).
        pool: Options of the pass over the pool, see ``score_pool``, and its ``pipeline``.
        **kwargs: Options of mmengine's ``IterBasedTrainLoop``.

    Raises:
        UserError: An option is invalid.
    """

    def __init__(
        self,
        runner,
        dataloader,
        max_iters: int,
        rounds: int,
        query: dict,
        budget: dict,
        oracle: dict,
        selector: dict | None = None,
        first_query: dict | None = None,
        stages: Sequence[int] | None = None,
        start: str = 'continue',
        pool: dict | None = None,
        **kwargs,
    ) -> None:
        parts = dict(query=query, budget=budget, oracle=oracle, selector=selector, pool=pool)
        check_configs(**parts, first_query=first_query)
        self.boundaries = stage_boundaries(max_iters, rounds, stages, start)
        super().__init__(runner, dataloader, max_iters=max_iters, **kwargs)
        self.dataloader_iterator = None  # see _restart_loader
        self.start = start
        check_run(self)
        if start == 'fresh':
            warn_of_long_schedules(runner.cfg, max_iters - self.boundaries[-1])
        self.store = RoundStore(Path(runner.work_dir, 'rounds'))
        self.log = RoundLog(Path(runner.work_dir, 'active_learning.jsonl'))
        self.campaign = build_campaign(
            self.store,
            runner.cfg,
            self.dataloader.dataset,
            rounds=rounds,
            budget=budget,
            query=query,
            first_query=first_query,
            selector=selector or dict(type='PixelSelector'),
            oracle=oracle,
            pool=pool or {},
            seed=runner.seed or 0,
            work_dir=Path(runner.work_dir),
            start=start,
            boundaries=self.boundaries,
        )
        check_campaign(self.campaign, unwrap(runner))
        self.initial = InitialState(Path(runner.work_dir, 'initial.pth'))
        self._indices: dict[str, int] = {}
        self._validated: tuple[int, dict] = (-1, {})
        self._stage_began = time.perf_counter()

    @property
    def stage(self) -> tuple[int, int]:
        """First and last iteration of the span of all schedules: the stage, or the whole run."""
        return self.stage_at(self._iter)

    def stage_at(self, iteration: int) -> tuple[int, int]:
        """What :attr:`stage` is at an iteration."""
        if self.start == 'continue':
            return 0, self._max_iters
        borders = [0, *self.boundaries, self._max_iters]
        number = bisect.bisect_right(self.boundaries, iteration)
        return borders[number], borders[number + 1]

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First and last iteration of every stage that is not empty, as schedules count them."""
        borders = [0, *self.boundaries, self._max_iters]
        spans = [(begin, end) for begin, end in pairwise(borders) if begin < end]
        return spans if self.start == 'continue' else [(0, spans[-1][1] - spans[-1][0])]

    def skip_rounds(self) -> None:
        """Trains without opening the campaign or holding rounds, for a short run."""
        self._open_campaign, self._hold_round_if_due = lambda: None, lambda: True

    def run(self):
        """Launches training; returns early if annotators have to answer first."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(explain_disk_errors_in(Path(self.runner.work_dir)))
            on_main_process(lambda: stack.enter_context(self.store.lock()))
            on_main_process(lambda: remove_leftovers(Path(self.runner.work_dir)))
            self._open_campaign()
            self.runner.call_hook('before_train')
            self.runner.call_hook('before_train_epoch')
            self._restart_loader()
            while self._iter < self._max_iters and not self.stop_training:
                if not self._hold_round_if_due():
                    break
                self.runner.model.train()
                self.run_iter(next(self.dataloader_iterator))
                self._decide_current_val_interval()
                if self._is_time_to_validate():
                    self._validate()
            if self._iter == self._max_iters and self._is_time_to_validate():
                self._validate()  # still missing if the run was killed after its last checkpoint
            if self._iter == self._max_iters or self.stop_training:
                self._record(len(self.store.answered()), FINISHED, {}, self.campaign.spent())
            self.runner.call_hook('after_train_epoch')
            self.runner.call_hook('after_train')
        return self.runner.model

    def _open_campaign(self) -> None:
        """Starts or resumes the campaign, with the labels of the current iteration."""
        held = bisect.bisect_left(self.boundaries, self._iter)
        begun = self.store.numbers() or (self.store.root / CAMPAIGN).exists()
        if held and not begun:
            raise UserError(
                f'the checkpoint of iteration {self._iter} follows {held} rounds, but '
                f'{self.store.root} is missing: restore it, or start a new run with another '
                '--work-dir'
            )
        on_main_process(self.log.mend)
        on_main_process(lambda: check_rounds(self.store))
        if begun or self.runner._resume:
            on_main_process(lambda: check_answers(self.store))
        self.campaign.seed = self.runner.seed or 0  # a resumed run keeps its seed
        open_campaign(self.campaign, resumed=self.runner._resume)
        if self._iter < self._max_iters:
            on_main_process(self.log.reopen)
        if self.start == 'fresh':
            on_main_process(lambda: self.initial.keep(self.runner))
        answered = [number for number in self.store.answered() if number < held]
        if len(answered) < held:
            raise UserError(
                f'the checkpoint of iteration {self._iter} follows {held} rounds, but '
                f'{self.store.root} has {len(answered)} answers: restore its rounds from a copy, '
                'or restore the former train_cfg.rounds, stages and max_iters'
            )
        if answered:
            self._use_labels(answered[-1])

    def _use_labels(self, number: int) -> None:
        folder = on_main_process(lambda: self.store.label_folder(number))
        self.dataloader.dataset.set_manual_labels(str(folder))

    def _restart_loader(self) -> None:
        """Restarts the workers at the samples of the next iteration, with the current labels."""
        self.dataloader._iterator = None  # persistent workers hold the former labels
        self.dataloader.sampler.skip(self._iter * self.dataloader.batch_size)
        self.dataloader_iterator = iter(self.dataloader)

    def _is_time_to_validate(self) -> bool:
        return (
            self.runner.val_loop is not None
            and self._iter >= self.val_begin
            and (self._iter % self.val_interval == 0 or self._iter == self._max_iters)
        )

    def _validate(self) -> dict:
        """Metrics of the current networks; evaluates them once per iteration at most."""
        if self._validated[0] != self._iter and self.runner.val_loop is not None:
            self._validated = self._iter, self.runner.val_loop.run() or {}
        return self._validated[1] if self._validated[0] == self._iter else {}

    def _hold_round_if_due(self) -> bool:
        """Holds the round of this iteration, if any; False if training cannot continue."""
        due = self._iter in self.boundaries
        return not due or self._hold_round(self.boundaries.index(self._iter))

    def _close_stage(self) -> dict[str, float]:
        """Writes the checkpoint of a boundary and validates; returns the seconds of the stage."""
        trained = time.perf_counter()
        boundary_checkpoint(self.runner, self)
        began = time.perf_counter()
        self._validate()
        return dict(train=trained - self._stage_began, validate=time.perf_counter() - began)

    def _hold_round(self, number: int) -> bool:
        """Holds a round; False if training cannot continue after it."""
        seconds = self._close_stage()
        before = self.campaign.spent(number)
        outcome = self.campaign.hold(number, unwrap(self.runner), self._predict)
        seconds.update(outcome.seconds)
        self._record(number, outcome.state, seconds, before, outcome.notes)
        self._stage_began = time.perf_counter()
        if outcome.state == 'pending':
            # a warning, so that every log_level shows it
            text = f'Active learning, round {number}: {outcome.message}'
            print_log(text, 'current', logging.WARNING)
            return False
        if outcome.state == 'exhausted':
            print_log(f'Active learning: {outcome.message}', 'current', logging.WARNING)
            spent = self.campaign.spent()
            repeats = self.start == 'fresh' and not unwrap(self.runner).snapshots
            if repeats and not self.campaign.left(spent):
                self.stop_training = True  # a new stage would repeat this one
                return False
        self._use_labels(number)
        if self._iter:  # an empty first stage has trained nothing
            self._begin_stage()
        self._restart_loader()
        for hook in self.runner.hooks:
            if hasattr(hook, 'after_labels_change'):
                hook.after_labels_change(self.runner)
        return True

    def _begin_stage(self) -> None:
        if self.start == 'fresh':
            self.initial.restore(self.runner)
        else:
            unwrap(self.runner).begin_stage()

    def _predict(self, image_id: str) -> np.ndarray:
        """``(H, W)`` uint8 class ids predicted for a pool image at its own resolution."""
        model, pool = unwrap(self.runner), self.campaign.pool
        self._indices = self._indices or {pool.image_id(i): i for i in range(len(pool))}
        data = pool.load(self._indices[image_id])
        with evaluation_mode(model), torch.no_grad():
            found = model.test_step(pseudo_collate([data]))[0]
        return found.pred_sem_seg.data.squeeze(0).cpu().numpy().astype(np.uint8)

    def _record(
        self, number: int, state: str, seconds: dict, spent: dict, notes: dict | None = None
    ) -> None:
        """Writes a line of the log: metrics, the spend when they were taken, and the outcome."""
        unit, facts = self.campaign.budget.unit, self.campaign.facts
        line = dict(round=number, state=state, iter=self._iter, spent=spent, unit=unit)
        if unit in facts['available']:
            line['share'] = spent[unit] / facts['available'][unit]
        metrics = self._validated[1] if self._validated[0] == self._iter else {}
        line.update(metrics=figures(metrics), notes=notes or {})
        line['seconds'] = {name: round(value, 3) for name, value in seconds.items()}
        on_main_process(lambda: self.log.write(line))
