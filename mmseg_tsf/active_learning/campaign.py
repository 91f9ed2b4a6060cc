"""One round after another: what is asked, what it costs, and who answers."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from .budget import Budget, spent
from .hashing import draw_seed
from .main_process import Ahead, Ask, on_main_process, with_help_of_all
from .oracles import Oracle, Pending
from .pool import Pool
from .pool_statistics import PoolStatistics
from .query_strategies import QueryStrategy
from .round_items import amount_asked, answer_items, request_items
from .round_store import CAMPAIGN, RoundStore
from .selection import select
from .selectors import Selector

FIXED = ('pool', 'initial_list', 'classes', 'available', 'initial')
"""What a resumed campaign may not change."""


@dataclass
class RoundOutcome:
    """How a round ended.

    Attributes:
        state: ``'answered'``, ``'pending'`` (people have not answered yet) or ``'exhausted'``
            (nothing was found to ask, or nothing is left to spend).
        message: What to do, where it is pending; why nothing is asked, where it is exhausted.
        seconds: Spent in ``score``, ``select`` and ``oracle``.
        plar: Cells of the pool that the refinement saw, flagged, corrected for free and left
            open, where the query asked it.
    """

    state: str
    message: str = ''
    plar: dict = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Campaign:
    """Holds the rounds of active learning; every step can be repeated without harm.

    Args:
        store: The rounds on disk.
        pool: The images that may be asked.
        facts: What the campaign is about, see :data:`FIXED`; ``initial`` and ``available`` are
            amounts by unit.
        rounds: How many there are at most.
        budget: What they may cost.
        query: Scores the pool.
        selector: Turns scores into requests.
        oracle: Answers them.
        seed: Of the run; see :func:`~mmseg_tsf.active_learning.hashing.draw_seed`.
        first_query: Scores the pool in round 0; ``query`` by default.
        pass_options: Of :func:`~mmseg_tsf.active_learning.selection.select`.
        options: Further options of all of these by name, to say what a resumed run changes.
    """

    def __init__(
        self,
        store: RoundStore,
        pool: Pool,
        facts: dict,
        rounds: int,
        budget: Budget,
        query: QueryStrategy,
        selector: Selector,
        oracle: Oracle,
        seed: int,
        first_query: QueryStrategy | None = None,
        pass_options: dict | None = None,
        options: dict | None = None,
    ) -> None:
        self.store, self.pool, self.facts = store, pool, facts
        self.rounds, self.budget = rounds, budget
        self.query, self.first_query = query, first_query or query
        self.selector, self.oracle, self.seed = selector, oracle, seed
        self.pass_options, self.options = pass_options or {}, options or {}

    def check(self, model) -> None:
        """Refuses, before any time is spent, a model or budget that the queries can not use.

        Raises:
            ValueError: Names what is missing.
        """
        self.selector.check_unit(self.budget.unit)
        for name in ('total', 'per_round'):
            value = getattr(self.budget, name)
            if value and not self.budget.amount(value, self.facts['available']):
                raise ValueError(
                    f'budget.{name}={value} is less than one of {self.budget.unit}: raise it'
                )
        for query in (self.first_query, self.query):
            query.check(model)
            self.selector.check_strategy(query)

    def open(self) -> None:
        """Begins the campaign, or goes on with it; says what has changed.

        Raises:
            StoreError: Something has changed that labels were bought for.
            ValueError: More is paid already than the budget allows.
        """
        description = self.describe()
        changes = on_main_process(lambda: self.store.open(description, FIXED))
        limit = self.budget.amount(self.budget.total, self.facts['available'])
        paid = self.spent()[self.budget.unit]
        if paid > limit and self.budget.unit != 'clicks':  # an estimate that may come out higher
            raise ValueError(
                f'budget.total is {limit} {self.budget.unit}, but {paid} are paid already (the '
                'initial labels included): raise it'
            )
        held = len(self.store.answered())
        if held > self.rounds:
            raise ValueError(
                f'train_cfg.rounds={self.rounds}, but {held} are answered already: raise it, or '
                'their labels would not be used'
            )
        for change in changes:
            print_log(f'Active learning: {change}', 'current')
        if changes:
            on_main_process(lambda: self._replace(description))

    def describe(self) -> dict:
        """What ``campaign.json`` says."""
        return dict(
            self.facts,
            budget=asdict(self.budget),
            rounds=self.rounds,
            query=type(self.query).__name__,
            first_query=type(self.first_query).__name__,
            selector=type(self.selector).__name__,
            oracle=type(self.oracle).__name__,
            folder=self._folder(),
            seed=self.seed,
            **self.options,
        )

    def _folder(self) -> str | None:
        """Where people find the requests, relative to the run's folder if it is in there."""
        folder = getattr(self.oracle, 'folder', None)
        if folder is None:
            return None
        folder, work_dir = Path(folder).resolve(), self.store.root.resolve().parent
        return str(folder.relative_to(work_dir) if folder.is_relative_to(work_dir) else folder)

    def _replace(self, description: dict) -> None:
        """Puts another ``campaign.json`` in the place of the one there is, in one step."""
        # a leftover by its name, see remove_leftovers
        aside = RoundStore(self.store.root / f'.campaign.{uuid.uuid4().hex}')
        aside.open(description, ())
        os.replace(aside.root / CAMPAIGN, self.store.root / CAMPAIGN)
        aside.root.rmdir()

    def spent(self, before: int | None = None) -> dict[str, int]:
        """See :func:`~mmseg_tsf.active_learning.budget.spent`."""
        return spent(self.store, self.facts['initial'], before)

    def hold(self, number: int, model, predict: Callable[[str], np.ndarray]) -> RoundOutcome:
        """Holds a round as far as it can be held now; goes on where a killed run stopped.

        Args:
            number: Of the round.
            model: Scores the pool, where there is no request yet.
            predict: ``(H, W)`` class ids of an image, for the annotator.

        Raises:
            StoreError: The store can not be written or is damaged.
        """
        outcome = RoundOutcome('answered')
        if self._state(number) == 'empty':
            self._ask(number, model, outcome.seconds)
        if self._state(number) == 'asked':
            began = time.perf_counter()
            message = with_help_of_all(lambda ask: self._answer(number, ask), predict)
            outcome.seconds['oracle'] = time.perf_counter() - began
            if message:
                outcome.state, outcome.message = 'pending', message
        info = on_main_process(lambda: self.store.request(number).info)
        outcome.plar = info['plar']
        if not info['images']:
            outcome.state, outcome.message = 'exhausted', self._why_nothing(number, info['amount'])
        return outcome

    def left(self, spent: dict[str, int]) -> int:
        """What is left to spend, in the budget's unit; 0 where the pool is asked in full."""
        available = self.facts['available']
        if spent['pixels'] >= available['pixels']:
            return 0
        return self.budget.left(spent, available)

    def _state(self, number: int) -> str:
        return on_main_process(lambda: self.store.state(number))

    def _why_nothing(self, number: int, amount: int) -> str:
        left = self.budget.left(self.spent(number), self.facts['available'])
        unit = self.budget.unit
        if not left:
            return f'the budget is spent: nothing is asked in round {number}'
        return (
            f'nothing is asked in round {number}: {left} {unit} are left and {amount} of them were '
            f'for this round, but {type(self.selector).__name__} found nothing that is wanted and '
            'fits; what is left goes to the later rounds'
        )

    def _ask(self, number: int, model, seconds: dict[str, float]) -> None:
        """Writes the request of a round, an empty one where nothing can be asked."""
        amount = self.budget.for_round(
            self.rounds - number, self.spent(number), self.facts['available']
        )
        if not amount:
            on_main_process(lambda: self._write_request(number, [], amount, {}))
            return
        statistics = PoolStatistics()
        chosen = select(
            model,
            self.pool,
            self.query if number else self.first_query,
            self.selector,
            amount,
            self.budget.unit,
            seed=draw_seed(self.seed, number),
            seconds=seconds,
            statistics=statistics,
            **self.pass_options,
        )
        plar = statistics.compute(next(model.parameters()).device)
        on_main_process(lambda: self._write_request(number, chosen, amount, plar))

    def _warn_of_too_little(self, number: int, amount: int) -> None:
        asked = amount_asked(self.store.request(number).images, self.budget.unit)
        if not asked or asked >= amount or self.budget.unit == 'clicks':  # an estimate
            return
        rest = 'stays unspent' if number == self.rounds - 1 else 'goes to the later rounds'
        print_log(
            f'Active learning, round {number} asks {asked} of {amount} {self.budget.unit}: '
            f'{type(self.selector).__name__} found no more that is wanted and fits (a larger block '
            f'or less suppression finds more); what is left {rest}',
            'current',
            logging.WARNING,
        )

    def _write_request(self, number: int, chosen: list, amount: int, plar: dict) -> None:
        info = dict(
            unit=self.budget.unit,
            strategy=type(self.query if number else self.first_query).__name__,
            selector=type(self.selector).__name__,
            seed=self.seed + number,
            amount=amount,
            plar=plar,
            spent_before=self.spent(number),
        )
        self.store.write_request(number, request_items(self.pool, self.selector, chosen), info)
        self._warn_of_too_little(number, amount)

    def _answer(self, number: int, ask: Ask) -> str:
        """Asks the oracle; returns what to do where it has no answer yet."""
        request = self.store.request(number)
        if not request.images:
            self.store.write_answer(number, [], dict(who='nobody'))
            return ''
        found = self.oracle.answer(number, request, Ahead(ask, request.images))
        if isinstance(found, Pending):
            return found.message
        counted = answer_items(found, len(self.facts['classes']))
        self.store.write_answer(number, counted, dict(who=self.oracle.who))
        return ''
