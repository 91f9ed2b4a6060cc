"""Checks of a campaign that begins or is resumed, before any time is spent."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from mmengine.logging import print_log
from torch import nn

from ...utils.errors import UserError
from ...utils.main_process import on_main_process
from ..pool.pool_pass import check_pass
from .budget import add_up, paid_rounds
from .campaign import Campaign

FIXED = ('pool', 'initial_list', 'initial_paths', 'classes', 'available', 'initial')
"""What a resumed campaign may not change."""


def check_campaign(campaign: Campaign, model: nn.Module) -> None:
    """Checks that the queries can use the model, the options and the budget.

    Raises:
        UserError: Something does not fit; the message names it.
    """
    budget, available = campaign.budget, campaign.facts['available']
    campaign.selector.check_unit(budget.unit)
    for name in ('total', 'per_round'):
        value = getattr(budget, name)
        if value and not budget.amount(value, available):
            raise UserError(f'budget.{name}={value} is less than one of {budget.unit}: raise it')
    for query in (campaign.first_query, campaign.query):
        campaign.selector.check_strategy(query)
        check_pass(model, query, **campaign.pass_options)


def open_campaign(campaign: Campaign, resumed: bool = True) -> None:
    """Begins a campaign, or goes on with it; says what has changed.

    Args:
        campaign: The campaign.
        resumed: Whether the run is resumed. A run that begins anew takes up the rounds that
            it finds only if it would have asked for the same.

    Raises:
        StoreError: Something has changed that labels were bought for.
        UserError: More is asked already than the budget allows, or rounds of another run are in
            the way.
    """
    store, description = campaign.store, describe_campaign(campaign)
    begun = bool(store.numbers())
    if not begun:  # else what has changed explains more
        _check_budget(campaign)
    changes = on_main_process(lambda: store.open(description, FIXED))
    if begun and changes and not resumed:
        raise UserError(
            f'{store.root} holds rounds of a run with other settings ({changes[0]}): go on with '
            '--resume, or begin anew in another --work-dir'
        )
    if begun:
        _check_budget(campaign)
    held = len(store.numbers())
    if held > campaign.rounds:
        raise UserError(
            f'train_cfg.rounds={campaign.rounds}, but {held} are asked already: raise it, or '
            'their labels would not be used'
        )
    for change in changes:
        print_log(f'Active learning: {change} from now on', 'current')
    if changes:
        on_main_process(lambda: store.replace_campaign(description))
    on_main_process(lambda: _look_back(campaign))


def describe_campaign(campaign: Campaign) -> dict:
    """What ``campaign.json`` says."""
    return dict(
        campaign.facts,
        budget=asdict(campaign.budget),
        rounds=campaign.rounds,
        query=type(campaign.query).__name__,
        first_query=type(campaign.first_query).__name__,
        selector=type(campaign.selector).__name__,
        oracle=type(campaign.oracle).__name__,
        annotation_dir=_annotation_dir(campaign),
        seed=campaign.seed,
        **campaign.options,
    )


def _check_budget(campaign: Campaign) -> None:
    """Checks the budget against all that is asked, whether or not it is answered yet."""
    store, budget = campaign.store, campaign.budget
    limit = budget.amount(budget.total, campaign.facts['available'])
    waiting = [n for n in store.numbers() if store.state(n) == 'asked']
    asked = [store.request(number).images for number in waiting]
    rounds = [*paid_rounds(store), *((notes, notes) for notes in asked)]
    paid = add_up(campaign.facts['initial'], rounds)[budget.unit]
    if paid > limit:
        also = f' and asked in round {waiting[0]}' if waiting else ''
        raise UserError(
            f'budget.total is {limit} {budget.unit}, but {paid} are paid already{also} (the '
            'initial labels included): raise it'
        )


def _look_back(campaign: Campaign) -> None:
    for number in campaign.store.answered():
        request, answer = campaign.store.request(number), campaign.store.answer(number)
        campaign.oracle.look_back(request, answer)


def _annotation_dir(campaign: Campaign) -> str | None:
    """Folder in which annotators find the requests, relative to the work dir if it is inside."""
    folder = campaign.oracle.annotation_dir
    if folder is None:
        return None
    folder, work_dir = Path(folder).resolve(), campaign.store.root.resolve().parent
    return str(folder.relative_to(work_dir) if folder.is_relative_to(work_dir) else folder)
