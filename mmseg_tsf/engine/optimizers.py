"""Optimisers: a fused AdamW, and one optimiser for a model whose parts have their own."""

from __future__ import annotations

import copy

import torch
from mmengine.runner import Runner
from mmseg.registry import OPTIMIZERS, PARAM_SCHEDULERS
from torch.optim import Optimizer

from ..utils.errors import UserError
from ..utils.runner import unwrap


@OPTIMIZERS.register_module()
class FusedAdamW(torch.optim.AdamW):
    """AdamW that updates each parameter in one kernel, on CPUs too.

    On a CPU, a step of stock AdamW over two MobileNetV2 takes a tenth of the time of their forward
    and backward pass, a fused step a fortieth. torch before 2.4 has fused steps on GPUs only; there
    this is stock AdamW on a CPU.

    Args:
        params: Parameters or parameter groups, as in :class:`torch.optim.AdamW`.
        **kwargs: Options of :class:`torch.optim.AdamW`.
    """

    def __init__(self, params, **kwargs) -> None:
        params = list(params)
        try:
            super().__init__(params, fused=True, **kwargs)
        except RuntimeError:  # "fused=True requires all the params to be ... on a GPU"
            super().__init__(params, **kwargs)


class OptimizerWithParts(Optimizer):
    """Optimiser of the run together with the optimisers of parts of the model.

    Gradient scaling (AMP), accumulation, gradient clipping, checkpoints and mmengine's DDP wrapper
    treat it as one optimiser. ``param_groups`` lists all parameters: the groups of the run, which
    its schedulers change, and for each part a group that serves scaling and clipping only. The
    learning rates of a part are in its own optimiser.

    Args:
        main: Optimiser of the run, without the parameters of the parts.
        parts: Optimisers by name of the part.
    """

    def __init__(self, main: Optimizer, parts: dict[str, Optimizer]) -> None:
        self.main, self.parts = main, parts
        shown = [
            dict(group) for part in parts.values() for group in part.param_groups
        ]  # copies: schedulers of the run must not reach the rates of the parts
        self.defaults, self.state = main.defaults, main.state
        self.param_groups = [*main.param_groups, *shown]

    def step(self, closure=None):
        """One step of every optimiser."""
        loss = self.main.step(closure)
        for part in self.parts.values():
            part.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clears the gradients of all parameters."""
        for optimizer in (self.main, *self.parts.values()):
            optimizer.zero_grad(set_to_none)

    def state_dict(self) -> dict:
        """States of all optimisers."""
        parts = {name: part.state_dict() for name, part in self.parts.items()}
        return dict(main=self.main.state_dict(), parts=parts)

    def load_state_dict(self, state_dict: dict) -> None:
        """Loads the states of :meth:`state_dict`."""
        self.main.load_state_dict(state_dict['main'])
        for name, part in self.parts.items():
            part.load_state_dict(state_dict['parts'][name])
        # loading replaces the dictionaries of the groups
        shown = self.param_groups[len(self.main.param_groups) :]
        self.param_groups = [*self.main.param_groups, *shown]
        self.state = self.main.state


def add_part_optimizers(runner: Runner) -> None:
    """Adds optimisers and schedulers of parts of the model to those of the run.

    To be called after the optimiser of the run is built and before a checkpoint is loaded.

    Raises:
        UserError: A part has no parameter, or the optimiser wrapper does not support parts.
    """
    model, wrapper = unwrap(runner), runner.optim_wrapper
    if not model.part_optimizers:
        return
    if not isinstance(getattr(wrapper, 'optimizer', None), Optimizer):
        raise UserError(
            f'optim_wrapper.type={type(wrapper).__name__}: {type(model).__name__} has parts with '
            "optimisers of their own, which need 'OptimWrapper' or 'AmpOptimWrapper'"
        )
    parts, schedulers = {}, []
    for name, options in model.part_optimizers.items():
        params = list(model.part(name, options['network']).parameters())
        if not params:
            raise UserError(
                f'part {name!r} has an optimizer but no parameter: leave the optimizer out'
            )
        _remove(wrapper.optimizer, {id(param) for param in params})
        parts[name] = OPTIMIZERS.build(dict(options['optimizer'], params=params))
        for schedule in copy.deepcopy(options['schedule']):
            schedulers.append(PARAM_SCHEDULERS.build(dict(schedule, optimizer=parts[name])))
    wrapper.optimizer = OptimizerWithParts(wrapper.optimizer, parts)
    if schedulers:
        runner.param_schedulers = [*(runner.param_schedulers or []), *schedulers]


def _remove(optimizer: Optimizer, params: set[int]) -> None:
    for group in optimizer.param_groups:
        kept = [i for i, param in enumerate(group['params']) if id(param) not in params]
        for key in ('params', 'param_names'):  # constructors of rates by layer give names
            if key in group:
                group[key] = [group[key][i] for i in kept]
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if group['params']]
