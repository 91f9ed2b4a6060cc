"""Passes of the public codes, as many as they were counted."""

import pytest
import torch
from helpers import METHODS, SUPERVISED, build_model

from mmseg_tsf.engine.published_steps import parts_of, published_passes, run_published

# images with and without gradient in one step, in batches of one branch
COUNTED = {
    'mt': (2, 2),
    'mt_cutmix': (2, 2),
    'cps': (4, 0),
    'cps_cutmix': (4, 4),
    'ael': (2, 3),
    'tsf': (4, 7),
    'cct': (2, 0),
    'gct': (4, 8),
    'psmt': (2, 2),
    'u2pl': (2, 3),
    'self_training': (2, 0),
    'unimatch': (4, 1),
    'unimatch_v2': (3, 1),
}


@pytest.mark.parametrize('method', COUNTED)
def test_passes(method):
    model = build_model(method)
    passes = published_passes(model)
    found = {grad: sum(p.batches for p in passes if p.grad == grad) for grad in (True, False)}
    assert (found[True], found[False]) == COUNTED[method]
    calls = {'decoders': 0, 'detector': 0, 'representation': 0}
    for name, part in parts_of(model).items():
        kind = next((own for own in calls if own in name), None)

        def count(module, inputs, kind=kind):
            calls[kind] += 1

        if kind is not None:
            part.register_forward_pre_hook(count)
    loss = run_published(model, passes, torch.randn(2, 3, 64, 64))
    loss.backward()
    assert loss.isfinite()
    expected = dict(cct=dict(decoders=12), gct=dict(detector=6), u2pl=dict(representation=2))
    assert {k: v for k, v in calls.items() if v} == expected.get(method, {})
    for name in model.learners:
        assert getattr(model, name).decode_head.conv_seg.weight.grad is not None


def test_supervised_training_has_no_composition():
    assert published_passes(build_model('supervised')) is None
    assert set(COUNTED) == set(METHODS) - {*SUPERVISED, 'ael_random'}
