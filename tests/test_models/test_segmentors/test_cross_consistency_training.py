"""Cross-consistency training against its definition in plain loops."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import SIZE, batch_for, build_model, tiny_segmentor

from mmseg_tsf.models.segmentors.cross_consistency_training import FEATURES
from mmseg_tsf.utils.errors import UserError


def step(**options):
    """Model, batch, outputs and losses of a step."""
    model = build_model('cct', tiny_segmentor(norm=False), **options)
    inputs, samples = batch_for(model)
    samples['unlabelled'][1].set_metainfo(dict(img_shape=(SIZE, 20)))
    batch = model.prepare(inputs, samples)
    outputs = {'student': model.forward_network('student', batch)}
    torch.manual_seed(0)
    return model, batch, outputs, model.unsupervised_loss(outputs, batch)


def auxiliary(model, batch, outputs) -> list:
    torch.manual_seed(0)
    view = batch.views['unlabelled']
    return model.auxiliary_logits(outputs['student']['unlabelled'], view.valid)


@pytest.mark.parametrize('at_grid', [False, True])
def test_loss_is_the_mean_squared_difference_over_pixels_classes_and_decoders(at_grid):
    model, batch, outputs, losses = step(at_grid=at_grid, weight=3.0)
    shown = outputs['student']['unlabelled']
    main = shown.probs.detach()
    side = 16 if at_grid else SIZE
    if at_grid:
        main = torch.nn.functional.interpolate(main, (16, 16), mode='bilinear')
    totals = []
    for logits in auxiliary(model, batch, outputs):
        if not at_grid:
            logits = torch.nn.functional.interpolate(logits, (SIZE, SIZE), mode='bilinear')
        logits, total, count = logits.detach().double().numpy(), 0.0, 0
        for n in range(2):
            for y in range(side):
                for x in range(side):
                    if n == 1 and x >= 20 * side // SIZE:
                        continue  # padding
                    scores = np.exp(logits[n, :, y, x])
                    difference = scores / scores.sum() - main[n, :, y, x].double().numpy()
                    total += (difference**2).mean()
                    count += 1
        totals.append(total / count)
    assert len(totals) == 12
    assert float(losses['loss_consistency']) == pytest.approx(3.0 * np.mean(totals), rel=1e-4)


def test_targets_lie_on_the_cells_where_corners_are_aligned():
    """At 33 pixels a cell of the grid of 17 is every second pixel, to the last one."""
    model = build_model('cct', tiny_segmentor(norm=False, align_corners=True), at_grid=True)
    lessons = []
    model.listeners.append(SimpleNamespace(begin=lambda *_: None, lesson=lessons.append))
    inputs, samples = batch_for(model, size=33)
    batch = model.prepare(inputs, samples)
    outputs = {'student': model.forward_network('student', batch)}
    model.unsupervised_loss(outputs, batch)
    logits = outputs['student']['unlabelled'].grid_logits
    assert logits.shape[2:] == (17, 17)
    torch.testing.assert_close(lessons[0].targets, logits.softmax(dim=1).detach())


def test_every_kind_of_decoder_perturbs_as_its_name_says():
    kinds = ('context', 'objects', 'feature_noise')
    model, batch, outputs, _ = step(decoders=dict.fromkeys(kinds, 1), background=(0, 2))
    shown = outputs['student']['unlabelled']
    features = shown.tapped[FEATURES]
    background = torch.isin(shown.grid_logits.argmax(dim=1, keepdim=True), torch.tensor([0, 2]))
    assert 0 < background.float().mean() < 1
    found = auxiliary(model, batch, outputs)
    context, objects, noisy = model.part('decoders')
    torch.testing.assert_close(found[0], context(features * ~background))
    torch.testing.assert_close(found[1], objects(features * background))
    assert not torch.equal(found[2], noisy(features))


def test_encoder_learns_and_main_decoder_does_not():
    model, _, _, losses = step(decoders=dict(feature_noise=1, vat=1))
    losses['loss_consistency'].backward()
    network = model.student
    assert network.decode_head.conv_seg.weight.grad is None
    assert network.decode_head.convs[0].conv.weight.grad.abs().max() > 0
    assert network.backbone.stem.conv.weight.grad.abs().max() > 0
    assert all(own.weight.grad.abs().max() > 0 for own in model.part('decoders'))


def test_weight_rises_by_a_sigmoid():
    model, batch, outputs, _ = step(ramp=(0.0, 0.2))
    values = {}
    for progress in (0.0, 0.1, 0.2, 1.0):
        model.progress.fill_(progress)
        torch.manual_seed(0)
        values[progress] = float(model.unsupervised_loss(outputs, batch)['loss_consistency'])
    for progress, share in ((0.0, np.exp(-5)), (0.1, np.exp(-1.25)), (0.2, 1.0)):
        assert values[progress] == pytest.approx(values[1.0] * share, rel=1e-5)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(decoders=dict(noise=2)), "has the unknown 'noise'"),
        (dict(decoders=dict(vat=0)), 'has no decoder'),
        (dict(background=(9,)), r'background=\(9,\) has the unknown ids \[9\]'),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(UserError, match=message):
        build_model('cct', **options)
