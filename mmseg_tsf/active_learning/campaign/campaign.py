"""The rounds of a campaign: query, request, answer."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.logging import print_log

from ...utils.main_process import Ahead, Ask, on_main_process, with_help_of_all
from ...utils.seeding import draw_seed
from ..oracles.base import Oracle, Pending
from ..pool.pool import Pool
from ..selection.selection import select
from ..selection.selectors.base import Selector
from ..store.round_store import RoundStore
from ..strategies.base import QueryContext, QueryStrategy
from .budget import (
    Budget,
    add_up,
    amount_asked,
    answer_items,
    paid_rounds,
    request_items,
    spent,
)


@dataclass
class RoundOutcome:
    """How a round ended.

    Attributes:
        state: ``'answered'``, ``'pending'`` (people have not answered yet) or ``'exhausted'``
            (nothing was found to ask, or nothing is left to spend).
        message: Text for the user: what to do where it is pending, why nothing is asked where it is
            exhausted.
        seconds: Spent in ``score`` (the strategy's preparation included), ``select`` and
            ``oracle``.
        notes: Figures of the query over the whole pool, see ``QueryStrategy.notes``.
    """

    state: str
    message: str = ''
    notes: dict = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Campaign:
    """Holds the rounds of active learning; every step can be repeated without harm.

    Args:
        store: The rounds on disk.
        pool: The images that may be asked.
        facts: Facts of the campaign, see ``resuming.FIXED``; ``initial`` and ``available`` are
            amounts by unit.
        rounds: Largest number of rounds.
        budget: Budget of all rounds.
        query: Strategy that scores the pool.
        selector: Selector that turns scores into units.
        oracle: Oracle that answers the requests.
        seed: Seed of the run; see :func:`~mmseg_tsf.utils.seeding.draw_seed`.
        first_query: Strategy of round 0; ``query`` by default.
        pass_options: Options of :func:`~mmseg_tsf.active_learning.selection.selection.select`.
        options: Further options of all of these by name, to say what a resumed run changes.
        labelled: Images that are labelled from the start, shown as the pool is.
        initial_counts: Function that returns the ``(K,)`` pixels of each class in their masks.
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
        labelled: Pool | None = None,
        initial_counts: Callable[[], np.ndarray] | None = None,
    ) -> None:
        self.store, self.pool, self.facts = store, pool, facts
        self.rounds, self.budget = rounds, budget
        self.query, self.first_query = query, first_query or query
        self.selector, self.oracle, self.seed = selector, oracle, seed
        self.pass_options, self.options = pass_options or {}, options or {}
        self.labelled, self.initial_counts = labelled, initial_counts

    def spent(self, before: int | None = None) -> dict[str, int]:
        """See :func:`~mmseg_tsf.active_learning.campaign.budget.spent`."""
        return spent(self.store, self.facts['initial'], before)

    def hold(self, number: int, model, predict: Callable[[str], np.ndarray]) -> RoundOutcome:
        """Holds a round as far as it can be held now; goes on where a killed run stopped.

        Args:
            number: Number of the round.
            model: Model that scores the pool, where there is no request yet.
            predict: ``(H, W)`` class ids of an image, for the annotator.

        Raises:
            StoreError: The store cannot be written or is damaged.
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
        outcome.notes = info['notes']
        if not info['images']:
            outcome.state, outcome.message = 'exhausted', self._why_nothing(number, info['amount'])
        return outcome

    def left(self, spent: dict[str, int]) -> int:
        """Rest of the budget, in its unit; 0 if the pool is asked in full."""
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
        if not amount:
            later = 'the later rounds' if number < self.rounds - 1 else 'more train_cfg.rounds'
            return (
                f'round {number} was closed when there was nothing to spend: {left} {unit} are '
                f'left for {later}'
            )
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
        began = time.perf_counter()
        query = self.begin_query(number, model)
        prepared = time.perf_counter() - began
        chosen = select(
            model,
            self.pool,
            query,
            self.selector,
            amount,
            self.budget.unit,
            seed=draw_seed(self.seed, number),
            labelled=self.labelled,
            seconds=seconds,
            **self.pass_options,
        )
        seconds['score'] += prepared
        notes = sum_notes(query.notes())
        on_main_process(lambda: self._write_request(number, chosen, amount, notes))

    def begin_query(self, number: int, model) -> QueryStrategy:
        """The strategy of a round, prepared for its pass over the pool."""
        query = self.query if number else self.first_query
        query.begin(
            QueryContext(
                model=model,
                pool=self.pool,
                labelled=self.labelled,
                number=number,
                rounds=self.rounds,
                seed=draw_seed(self.seed, number),
                folder=self._scratch(number),
                class_counts=lambda: self._class_counts(number),
            )
        )
        return query

    def _scratch(self, number: int) -> Path:
        return self.store.root.parent / 'query' / f'round_{number:03d}'

    def _class_counts(self, number: int) -> np.ndarray:
        """``(K,)`` labelled pixels of each class before a round."""
        counts = np.zeros(len(self.facts['classes']), np.int64)
        counts += self.initial_counts() if self.initial_counts is not None else 0
        for before in (held for held in self.store.answered() if held < number):
            for notes in self.store.answer(before).images.values():
                counts += np.asarray(notes['classes'], np.int64)
        return counts

    def _warn_of_too_little(self, number: int, amount: int) -> None:
        asked = amount_asked(self.store.request(number).images, self.budget.unit)
        if not asked or asked >= amount:
            return
        rest = 'stays unspent' if number == self.rounds - 1 else 'goes to the later rounds'
        print_log(
            f'Active learning, round {number} asks {asked} of {amount} {self.budget.unit}: '
            f'{type(self.selector).__name__} found no more that is wanted and fits (a larger block '
            f'or less suppression finds more); what is left {rest}',
            'current',
            logging.WARNING,
        )

    def _write_request(self, number: int, chosen: list, amount: int, notes: dict) -> None:
        paid = paid_rounds(self.store, number)
        info = dict(
            unit=self.budget.unit,
            strategy=type(self.query if number else self.first_query).__name__,
            selector=type(self.selector).__name__,
            seed=self.seed + number,
            amount=amount,
            notes=notes,
            spent_before=add_up(self.facts['initial'], paid),
        )
        items = request_items(self.pool, self.selector, chosen, self.budget.unit)
        self.store.write_request(
            number,
            items,
            # what is spent once every image is answered
            lambda own: dict(info, spent_after=add_up(self.facts['initial'], [*paid, (own, own)])),
        )
        shutil.rmtree(self._scratch(number), ignore_errors=True)
        self._warn_of_too_little(number, amount)

    def _answer(self, number: int, ask: Ask) -> str:
        """Asks the oracle; returns what to do where it has no answer yet."""
        request = self.store.request(number)
        if not request.images:
            self._write_answer(number, [], 'nobody')
            return ''
        found = self.oracle.answer(request, Ahead(ask, request.images))
        if isinstance(found, Pending):
            return found.message
        counted = answer_items(found, len(self.facts['classes']))
        self._write_answer(number, counted, self.oracle.who)
        return ''

    def _write_answer(self, number: int, items: Iterable, who: str) -> None:
        paid, asked = paid_rounds(self.store, number), self.store.request(number).images
        before = add_up(self.facts['initial'], paid)
        self.store.write_answer(
            number,
            items,
            lambda own: dict(
                who=who,
                spent_before=before,
                spent_after=add_up(self.facts['initial'], [*paid, (asked, own)]),
            ),
        )


def sum_notes(notes: dict[str, int | float]) -> dict[str, int | float]:
    """Sums figures over all ranks; every rank must call it."""
    total: dict[str, int | float] = {}
    for own in all_gather_object(notes):
        for name, value in own.items():
            total[name] = total.get(name, 0) + value
    return total
