"""Settings that differ when a run is resumed: they hold from then on, or the resume is refused."""

from __future__ import annotations

import logging

import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from ..utils.errors import UserError, some_of
from ..utils.runner import unwrap
from ..utils.settings import flatten, training_settings
from .rates import check_rates, epoch_length, step_schedulers

SETTINGS, RANKS = 'settings', 'world_size'
"""Keys in the ``meta`` of a checkpoint: the settings of its run, and its number of processes."""
KINDS = ('optim_wrapper.optimizer.type', 'optim_wrapper.constructor')
"""Settings that decide what the state of an optimiser means."""
PROGRESS = ('last_step', '_global_step', '_last_value', 'verbose')
"""Attributes of a schedule that change as it goes on, or change nothing."""


def note_settings(runner: Runner, checkpoint: dict) -> None:
    """Writes the settings of a run into a checkpoint, for the comparison when it is resumed."""
    checkpoint['meta'][SETTINGS] = flatten(training_settings(runner.cfg))
    checkpoint['meta'][RANKS] = get_world_size()


def hold_settings(runner: Runner, checkpoint: dict) -> list[str]:
    """Lets the settings of the config hold in a run that is resumed.

    mmengine restores the optimiser's groups and the schedules of the checkpoint over those of the
    config. Where they differ, the checkpoint gets the values that a run with the new settings would
    have at its iteration; what the optimiser has gathered (momentum and the like) is kept.

    Args:
        runner: Runner whose optimiser and schedules are built, before anything is restored.
        checkpoint: Checkpoint from which the run is resumed; changed in place.

    Returns:
        list[str]: What has changed, one sentence each.

    Raises:
        UserError: The checkpoint does not fit the model or the optimiser, or nothing would be
            learnt with the settings.
    """
    if 'iter' not in checkpoint.get('meta', {}):
        raise UserError(
            'the checkpoint holds weights alone, so no run can be resumed from it: use load_from '
            'instead of resume'
        )
    _check_parameters(unwrap(runner), checkpoint['state_dict'])
    _check_extension(runner, checkpoint['meta'])
    changes = _changed_settings(runner, checkpoint['meta'])
    for key in KINDS:
        if key in changes:
            raise UserError(
                f'{key} was {changes[key][0]} and is {changes[key][1]}, and the state of the one '
                f'is useless to the other: {_REMEDY}'
            )
    sentences = [
        f'{key} was {old}, is {new}{_CONSEQUENCES.get(key, "")}'
        for key, (old, new) in changes.items()
    ]
    sentences += _changed_ranks(checkpoint['meta'])
    _warn_of_seed(runner, checkpoint['meta'])
    if hasattr(runner.optim_wrapper, 'optimizer'):
        sentences += _hold_values(runner, checkpoint, changes)
    return sentences


def _changed_settings(runner: Runner, meta: dict) -> dict[str, tuple[str | None, str | None]]:
    """Former and present value of each setting that differs."""
    now = flatten(training_settings(runner.cfg))
    then = meta.get(SETTINGS, now)
    return {
        key: (then.get(key), now.get(key))
        for key in {**then, **now}
        if then.get(key) != now.get(key)
    }


def _changed_ranks(meta: dict) -> list[str]:
    then, now = meta.get(RANKS, get_world_size()), get_world_size()
    if then == now:
        return []
    return [
        f'the number of processes was {then}, is {now} (an iteration sees {now}/{then} as many '
        'images, and the order of the images is another)'
    ]


def _warn_of_seed(runner: Runner, meta: dict) -> None:
    then, now = meta.get('seed'), (runner.cfg.get('randomness') or {}).get('seed')
    if None not in (then, now) and then != now:
        text = f'randomness.seed={now} is not used: a resumed run keeps its seed, {then}'
        print_log(text, 'current', logging.WARNING)


def _check_parameters(model: nn.Module, saved: dict) -> None:
    """Checks that every parameter of the model is in the checkpoint, in its shape."""
    saved = {name.removeprefix('module.'): value for name, value in saved.items()}
    wrong = [
        name
        for name, parameter in model.named_parameters()
        if name not in saved or saved[name].shape != parameter.shape
    ]
    if wrong:
        raise UserError(
            f'the checkpoint has no weights, or others in shape, for {len(wrong)} parameters of '
            f'the model ({some_of(wrong)}): restore the former model, or start a new run with '
            'another --work-dir'
        )


def _hold_values(runner: Runner, checkpoint: dict, changes: dict) -> list[str]:
    """Puts the values of the config into the checkpoint where they differ; returns them.

    Values are named only where no setting explains them, as in checkpoints without settings.
    """
    if 'optimizer' not in checkpoint:
        raise UserError(
            'the checkpoint has no state of the optimiser, so no run can be resumed from it: use '
            'another checkpoint, or load_from instead of resume'
        )
    saved, fresh = checkpoint['optimizer'], runner.optim_wrapper.state_dict()
    _check_groups(saved, fresh)
    found = [
        sentence
        for name, own in _optimizers(saved).items()
        for sentence in _differences(name, own, _optimizers(fresh)[name])
    ]
    of_schedules = any(key.startswith('param_scheduler') for key in changes)
    if not of_schedules and not _schedules_differ(runner, checkpoint) and not found:
        return []
    for scheduler in runner.param_schedulers or ():
        if getattr(scheduler, 'need_val_args', False):
            raise UserError(
                f'{type(scheduler).__name__} follows the metrics so far, so the settings of '
                f'optimiser and schedules cannot change: {_REMEDY}'
            )
    _move_to(runner, checkpoint['meta'])
    _replace_values(saved, runner.optim_wrapper.state_dict())
    checkpoint['param_schedulers'] = [own.state_dict() for own in runner.param_schedulers or ()]
    return [] if changes else found


def _optimizers(state: dict) -> dict[str, dict]:
    """States of the run's optimiser and of those of parts, by name."""
    if 'main' not in state:
        return dict(optimizer=state)
    return dict(optimizer=state['main'], **state['parts'])


def _check_groups(saved: dict, fresh: dict) -> None:
    """Checks that the saved state fits the parameters of the optimisers."""
    then, now = _optimizers(saved), _optimizers(fresh)
    for name in {**then, **now}:
        sizes = [
            [len(group['params']) for group in state.get(name, {}).get('param_groups', ())]
            for state in (then, now)
        ]
        if sizes[0] != sizes[1]:
            raise UserError(
                f'the {name} had {sum(sizes[0])} parameters in {len(sizes[0])} groups and has '
                f'{sum(sizes[1])} in {len(sizes[1])}, so its state does not fit (model, '
                f'optim_wrapper.paramwise_cfg or constructor differ): {_REMEDY}'
            )
        kinds = [
            {key for key in state[name]['param_groups'][0] if not key.startswith('initial_')}
            for state in (then, now)
        ]
        odd = [key for key in _TELLING if (key in kinds[0]) != (key in kinds[1])]
        if odd:
            raise UserError(
                f'the {name} was of another type (one has the option {odd[0]}, the other does '
                f'not), and the state of the one is useless to the other: {_REMEDY}'
            )


def _differences(name: str, saved: dict, fresh: dict) -> list[str]:
    """Settings of an optimiser that differ, one sentence each; the rates of now do not count."""
    found = []
    for then, now in zip(saved['param_groups'], fresh['param_groups'], strict=True):
        scheduled = {key.removeprefix('initial_') for key in {**then, **now} if _is_initial(key)}
        for key in {**then, **now}:
            known = key in then and key in now
            if key in scheduled or key == 'params' or not (known or _is_initial(key)):
                continue
            if _plain(then.get(key)) != _plain(now.get(key)):
                found.append(f'{name}.{key} was {then.get(key)}, is {now.get(key)}')
    return list(dict.fromkeys(found))


def _is_initial(key: str) -> bool:
    return key.startswith('initial_')


def _plain(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _schedules_differ(runner: Runner, checkpoint: dict) -> bool:
    schedulers = [
        own for own in runner.param_schedulers or () if not getattr(own, 'need_val_args', False)
    ]
    now = [_fixed(scheduler.state_dict()) for scheduler in schedulers]
    saved = checkpoint.get('param_schedulers') or []
    then = [_fixed(state) for state in saved if not state.get('need_val_args')]
    if len(schedulers) < len(runner.param_schedulers or ()):
        return len(saved) != len(runner.param_schedulers)
    return now != then


def _fixed(state: dict) -> dict:
    return {key: _plain(value) for key, value in state.items() if key not in PROGRESS}


def _move_to(runner: Runner, meta: dict) -> None:
    """Steps the schedules to the iteration of a checkpoint."""
    begin, _ = getattr(runner.train_loop, 'stage_at', lambda _: (0, 0))(meta['iter'])
    steps = step_schedulers(runner.param_schedulers or (), epoch_length(runner))
    for _ in range(meta['iter'] - begin):
        next(steps)


def _replace_values(saved: dict, fresh: dict) -> None:
    """Replaces all that a saved state says of its groups, apart from their parameters."""
    for name, own in _optimizers(saved).items():
        own['param_groups'] = [
            dict(now, params=then['params'])
            for then, now in zip(
                own['param_groups'], _optimizers(fresh)[name]['param_groups'], strict=True
            )
        ]
    if 'base_param_settings' in fresh:
        saved['base_param_settings'] = fresh['base_param_settings']


def _check_extension(runner: Runner, meta: dict) -> None:
    """Checks that something is learnt in the iterations by which a plain run is extended."""
    if hasattr(runner.train_loop, 'boundaries') or not hasattr(runner.optim_wrapper, 'optimizer'):
        return  # a loop with rounds checks each stage
    then = meta.get(SETTINGS, {})
    planned = int(then.get('train_cfg.max_iters') or 0)
    planned = planned or int(then.get('train_cfg.max_epochs') or 0) * (epoch_length(runner) or 0)
    # the last iteration of a schedule has a rate of 0, and may be all that is left of a run
    begin = max(planned, meta['iter'] + (not planned))
    if begin < runner.max_iters:
        check_rates(runner, [(begin, runner.max_iters)])


_TELLING = ('betas', 'momentum', 'alpha', 'rho', 'lr_decay', 'eps')
_CONSEQUENCES = {'train_dataloader.batch_size': ' (the order of the images is another)'}
_REMEDY = (
    'restore the former settings, or start a new run from its weights (load_from) with another '
    '--work-dir'
)
