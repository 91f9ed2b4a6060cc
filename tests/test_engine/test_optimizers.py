"""The fused optimiser against torch's own, and several optimisers as one against single ones."""

import copy

import pytest
import torch
from helpers import model_cfg
from mmseg.registry import MODELS
from tiny_runs import make_runner, tiny_runner_cfg
from torch import nn

from mmseg_tsf.engine.optimizers import FusedAdamW, OptimizerWithParts
from mmseg_tsf.models import SupervisedOnly
from mmseg_tsf.utils.errors import UserError


def train(make_optimizer) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(s, generator=generator).requires_grad_() for s in ((3, 4), (5,))]
    optimizer = make_optimizer(params)
    for _ in range(5):
        optimizer.zero_grad()
        sum((p - 1).square().sum() for p in params).backward()
        optimizer.step()
    return [p.detach() for p in params]


def test_fused_steps_equal_plain_ones():
    kwargs = dict(lr=0.1, weight_decay=0.05)
    for mine, stock in zip(
        train(lambda p: FusedAdamW(p, **kwargs)),
        train(lambda p: torch.optim.AdamW(p, **kwargs)),
        strict=True,
    ):
        torch.testing.assert_close(mine, stock)


def test_it_falls_back_where_torch_has_no_fused_kernel(monkeypatch):
    stock = torch.optim.AdamW.__init__

    def without_fused(self, params, fused=None, **kwargs):
        if fused:
            raise RuntimeError('`fused=True` requires all the params to be on a GPU')
        stock(self, params, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, '__init__', without_fused)
    optimizer = FusedAdamW([torch.ones(2, requires_grad=True)], lr=0.5)
    assert not optimizer.defaults['fused'] and optimizer.defaults['lr'] == 0.5


def test_other_errors_stay():
    with pytest.raises(ValueError, match='learning rate'):
        FusedAdamW([torch.ones(2, requires_grad=True)], lr=-1.0)


def pair(seed: int = 0):
    torch.manual_seed(seed)
    return nn.Linear(3, 2), nn.Linear(2, 1)


def together(main: nn.Module, part: nn.Module) -> OptimizerWithParts:
    own = torch.optim.Adam(part.parameters(), lr=0.1)
    return OptimizerWithParts(torch.optim.SGD(main.parameters(), lr=0.2), dict(part=own))


def backward(main, part, scale=lambda loss: loss) -> None:
    loss = part(main(torch.ones(4, 3))).square().mean()
    scale(loss).backward()


def values(*modules) -> list:
    return [p.detach().clone() for module in modules for p in module.parameters()]


@pytest.mark.skipif(not hasattr(torch.amp, 'GradScaler'), reason='torch < 2.3 scales on GPUs only')
def test_a_gradient_scaler_unscales_every_part():
    main, part = pair()
    expected = copy.deepcopy((main, part))
    optimizers = torch.optim.SGD, torch.optim.Adam
    alone = [
        kind(m.parameters(), lr=lr)
        for kind, m, lr in zip(optimizers, expected, (0.2, 0.1), strict=True)
    ]
    optimizer, scaler = together(main, part), torch.amp.GradScaler('cpu', init_scale=1024.0)
    for _ in range(3):
        optimizer.zero_grad()
        backward(main, part, scaler.scale)
        scaler.step(optimizer)
        scaler.update()
        for own in alone:
            own.zero_grad()
        backward(*expected)
        for own in alone:
            own.step()
    for found, wanted in zip(values(main, part), values(*expected), strict=True):
        torch.testing.assert_close(found, wanted)
    before = values(main, part)
    optimizer.zero_grad()
    backward(main, part, scaler.scale)
    part.weight.grad[0, 0] = float('inf')  # in the part: nothing may step
    scaler.step(optimizer)
    assert all(torch.equal(a, b) for a, b in zip(before, values(main, part), strict=True))


def test_states_are_loaded_into_every_optimiser():
    main, part = pair()
    optimizer = together(main, part)
    for _ in range(2):
        optimizer.zero_grad()
        backward(main, part)
        optimizer.step()
    saved, weights = copy.deepcopy(optimizer.state_dict()), copy.deepcopy((main, part))
    other = together(*weights)
    other.load_state_dict(saved)
    for modules, own in (((main, part), optimizer), (weights, other)):
        own.param_groups[0]['lr'] = 0.05  # the run's schedulers reach the run's groups
        own.zero_grad()
        backward(*modules)
        own.step()
    for found, wanted in zip(values(*weights), values(main, part), strict=True):
        assert torch.equal(found, wanted)


class WithPart(SupervisedOnly):
    """A method whose part is given by a test."""

    def __init__(self, part, **kwargs) -> None:
        super().__init__(**kwargs)
        self.attach('extra', part, optimizer=dict(type='Adam', lr=1.0))


def test_mistakes_are_named_before_training(data_root, tmp_path):
    MODELS.register_module(module=WithPart, force=True)
    model = dict(model_cfg('supervised'), type='WithPart')
    cfg = tiny_runner_cfg('', data_root, tmp_path, model=dict(model, part=dict(type='ReLU')))
    with pytest.raises(UserError, match="part 'extra' has an optimizer but no parameter"):
        make_runner(cfg).train()
