"""A step under autocast in bfloat16 teaches what one in float32 does."""

import pytest
import torch
from helpers import batch_for, build_model, freeze_norm

# all kinds of perturbations, and the warm-up of PS-MT, in which its teachers learn, too
CASES = dict(
    cct=('cct', dict(decoders=dict(dropout=1, context=1, feature_drop=1, feature_noise=1, vat=1))),
    gct=('gct', {}),
    psmt=('psmt', dict(noise=2.0)),
    psmt_warm_up=('psmt', dict(warm_up=1)),
    self_training=('self_training', {}),
    u2pl=('u2pl', dict(queries=512, negatives=16)),
    unimatch=('unimatch', {}),
    unimatch_v2=('unimatch_v2', {}),
)


def step(case: str, enabled: bool) -> tuple[dict, dict]:
    """Losses of a step, and gradients of all that learns by module."""
    method, options = CASES[case]
    model = build_model(method, **options)
    freeze_norm(model)
    model.progress.fill_(0.5)
    inputs, samples = batch_for(model, size=96 if method == 'gct' else 32)
    torch.manual_seed(0)
    with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
        losses = model.loss(inputs, samples)
    losses = {name: value.sum() for name, value in losses.items() if 'loss' in name}
    sum(losses.values()).backward()
    gradients = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            gradients.setdefault(name.split('.')[0], []).append(parameter.grad.flatten())
    return losses, {name: torch.cat(own) for name, own in gradients.items()}


@pytest.mark.parametrize('case', CASES)
def test_losses_and_gradients_are_those_of_float32(case):
    (losses, gradients), (low_losses, low) = step(case, enabled=False), step(case, enabled=True)
    assert losses.keys() == low_losses.keys() and gradients.keys() == low.keys()
    for name, value in losses.items():
        assert low_losses[name].dtype == torch.float32, name
        torch.testing.assert_close(low_losses[name], value, rtol=0.02, atol=1e-4, msg=name)
    for name, value in gradients.items():  # a few pixels of GCT fall on the other side of xi
        assert torch.cosine_similarity(low[name], value, dim=0) > 0.95, name
        assert 0.9 < low[name].norm() / value.norm() < 1.1, name
