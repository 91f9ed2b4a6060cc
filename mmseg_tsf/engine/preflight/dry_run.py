"""Dry run of a training: data, label spend, duration and memory."""

from __future__ import annotations

import contextlib
import copy
import inspect
import statistics

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.runner import IterBasedTrainLoop, Runner
from mmseg.registry import DATASETS

from ...active_learning.campaign.resuming import open_campaign
from ...active_learning.pool.pool_pass import score_pool
from ...datasets.semi_dataset import SemiDataset
from ...utils.errors import UserError
from ...utils.progress import in_words
from ...utils.runner import unwrap
from ...utils.timing import now
from ..loops.active_learning_loop import ActiveLearningLoop
from ..loops.semi_val_loop import SemiValLoop
from ..run_info import peak_memory_mib
from .data_check import check_data
from .short_run import run_steps, short_run

WARM_UP, STEPS = 2, 5


def dry_run(cfg: Config) -> dict:
    """Builds everything, checks the data, runs a few steps and prints an estimate of the training.

    The steps run in a temporary work dir, and no checkpoint is written.

    Args:
        cfg: Training config; not changed.

    Returns:
        dict: ``images`` (numbers by data set), ``remarks`` (on their masks), ``model``
        (description), ``spending`` (see :func:`spending`; ``None`` without active learning),
        ``seconds`` (of a step, a validation and each query), ``max_iters``, ``validations`` (their
        number), ``total_seconds``, ``peak_memory_mib``.

    Raises:
        UserError: The config or the data have a mistake.
    """
    cfg = copy.deepcopy(cfg)
    if not _is_semi_dataset(cfg.train_dataloader.dataset.type):
        raise UserError(
            'a dry run needs labelled and unlabelled images: wrap the training data in '
            "dict(type='SemiDataset', labelled=..., unlabelled=...)"
        )
    cfg.train_dataloader.dataset.check_files = False  # check_data does it, and more
    with short_run(cfg) as runner:
        images, remarks = check_data(cfg)
        result = dict(images=images, remarks=remarks, max_iters=runner.max_iters)
        result['model'] = describe_model(unwrap(runner))
        loop = runner.train_loop
        asks = isinstance(loop, ActiveLearningLoop)
        if asks:
            open_campaign(loop.campaign)
        result['spending'] = spending(loop) if asks else None
        result['validations'] = len(validations(runner))
        seconds = dict(step=time_steps(runner), validation=time_validation(runner))
        seconds['queries'] = time_queries(runner) if asks else []
        result['seconds'] = seconds
        steps = result['max_iters'] * seconds['step']
        checks = result['validations'] * seconds['validation']
        result['total_seconds'] = steps + checks + sum(seconds['queries'])
        result['peak_memory_mib'] = peak_memory_mib()
    if is_main_process():
        print('\n'.join(lines(result)))
    return result


def _is_semi_dataset(kind: str | type) -> bool:
    dataset = DATASETS.get(kind) if isinstance(kind, str) else kind
    return inspect.isclass(dataset) and issubclass(dataset, SemiDataset)


def spending(loop: ActiveLearningLoop) -> dict:
    """Maximum label spend of the rounds, in the unit of the budget.

    Returns:
        dict: ``unit``, ``initial`` (spend by unit), ``rounds`` (maximum of each round), ``total``,
        ``available`` (size of the data by unit).
    """
    campaign, budget, facts = loop.campaign, loop.campaign.budget, loop.campaign.facts
    spent, rounds = dict(facts['initial']), []
    for number in range(campaign.rounds):
        left = campaign.rounds - number
        rounds.append(budget.for_round(left, spent, facts['available']))
        spent[budget.unit] += rounds[-1]
    return dict(
        unit=budget.unit,
        initial=facts['initial'],
        rounds=rounds,
        total=spent[budget.unit],
        available=facts['available'],
    )


def time_steps(runner: Runner) -> float:
    """Median seconds of a step in the middle of the training, when all its parts are active."""
    ends, num = [now()], min(WARM_UP + STEPS, runner.max_iters)
    start = min(runner.max_iters // 2, runner.max_iters - num)
    run_steps(runner, num, lambda _: ends.append(now()), start)
    times = [end - begin for begin, end in zip(ends, ends[1:], strict=False)]
    return statistics.median(times[WARM_UP:] or times[-1:])


@torch.no_grad()
def time_validation(runner: Runner) -> float:
    """Seconds of a validation, extrapolated from one batch; 0 without a validation."""
    loop = runner.val_loop
    if loop is None:
        return 0.0
    model, batch = unwrap(runner), next(iter(loop.dataloader))
    usual = model.predict_on
    names = [usual]
    if isinstance(loop, SemiValLoop):
        names = loop.networks or model.network_names
    runner.model.eval()
    for _ in range(2):  # the first one warms up
        began = now()
        for name in names:
            model.predict_on = name
            runner.model.val_step(batch)
        took = now() - began
    model.predict_on = usual
    return took * len(loop.dataloader)


def time_queries(runner: Runner) -> list[float]:
    """Seconds of the query in each round: its preparation, and the pass, from one batch of it."""
    campaign = runner.train_loop.campaign
    first = _time_query(runner, 0)
    later = first
    if campaign.rounds > 1 and campaign.query is not campaign.first_query:
        later = _time_query(runner, 1)
    return [first] + [later] * (campaign.rounds - 1)


def _time_query(runner: Runner, number: int) -> float:
    campaign = runner.train_loop.campaign
    options, pool = campaign.pass_options, campaign.pool
    model, size, began = unwrap(runner), options.get('batch_size', 1), now()
    query, selector = campaign.begin_query(number, model), campaign.selector
    marks = [now()]
    options = dict(options, with_classes=selector.class_balanced, seed=campaign.seed)
    scored = score_pool(model, pool, query, selector.prepare, **options)
    with contextlib.closing(scored):
        for done, _ in enumerate(scored, start=1):
            if done % size == 0:
                marks.append(now())
            if len(marks) == 3:  # the first batch warms up
                per_image = (marks[2] - marks[1]) / size
                break
        else:
            per_image = (now() - marks[0]) / done
    return marks[0] - began + per_image * -(-len(pool) // get_world_size())


def validations(runner: Runner) -> set[int]:
    """Iterations with a validation."""
    loop = runner.train_loop
    if runner.val_loop is None or not isinstance(loop, IterBasedTrainLoop):
        return set()
    begin, interval, end = loop.val_begin, loop.val_interval, loop.max_iters
    found = {i for i in range(begin, end + 1) if i % interval == 0 or i == end}
    return found | set(getattr(loop, 'boundaries', ()))


def describe_model(model) -> str:
    """Describes names and size of the networks."""
    names = model.network_names
    weights = sum(p.numel() for p in getattr(model, names[0]).parameters())
    return f'{type(model).__name__}: {", ".join(names)}, {weights / 1e6:.2f} M weights each'


def lines(result: dict) -> list[str]:
    """Formats the result of :func:`dry_run` as lines of text."""
    images = ', '.join(f'{number} {part}' for part, number in result['images'].items())
    out = [f'Data    {images} images: every file was opened, every mask fits']
    out += [f'        {remark}' for remark in result['remarks']]
    out.append(f'Model   {result["model"]}')
    if result['spending'] is not None:
        out += _spending_lines(result['spending'])
    out += _time_lines(result)
    out.append(f'Memory  {result["peak_memory_mib"]:,.0f} MiB at its peak')
    return [*out, 'Nothing was trained or written.']


def _spending_lines(spend: dict) -> list[str]:
    unit, everything = spend['unit'], spend['available'].get(spend['unit'])

    def said(amount: int) -> str:
        text = f'{amount:,} {unit}'
        if everything:
            text += f' ({100 * amount / everything:.2f} %)'
        if unit == 'pixels':
            mean = everything / spend['available']['images']
            text += f', as many as in {amount / mean:.1f} images'
        return text

    rounds = spend['rounds']
    out = [f'Labels  {said(spend["initial"][unit])} to begin with']
    if len(rounds) > 1 and len(set(rounds)) == 1:
        out.append(f'        each of {len(rounds)} rounds: at most {said(rounds[0])}')
    else:
        out += [f'        round {i}: at most {said(amount)}' for i, amount in enumerate(rounds)]
    return [*out, f'        in all at most {said(spend["total"])}']


def _time_lines(result: dict) -> list[str]:
    seconds, iters, queries = result['seconds'], result['max_iters'], result['seconds']['queries']
    steps = max(1, min(STEPS, iters - WARM_UP))
    took, found = in_words(iters * seconds['step']), [f'{steps} steps']
    out = [f'Time    {iters} steps of {seconds["step"]:.3f} s: {took}']
    if result['validations']:
        took = in_words(result['validations'] * seconds['validation'])
        out.append(f'        validations ({result["validations"]}): {took}')
        found.append('a batch of validation')
    if queries:
        took = in_words(sum(queries))
        out.append(f'        queries ({len(queries)}): {took}, and the time of the answers')
        found.append('a batch of the pool')
    out.append(f'        about {in_words(result["total_seconds"])} in all')
    out.append(f'        extrapolated from {", ".join(found)}, on this machine as it is now')
    return out
