"""The fused optimiser against torch's own."""

import pytest
import torch

from mmseg_tsf.engine import FusedAdamW
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
    with pytest.raises(UserError, match='learning rate'):
        FusedAdamW([torch.ones(2, requires_grad=True)], lr=-1.0)
