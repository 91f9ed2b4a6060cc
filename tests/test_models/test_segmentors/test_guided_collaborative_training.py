"""Guided collaborative training against its definition in plain loops."""

import numpy as np
import pytest
import torch
from helpers import NUM_CLASSES, batch_for, build_model, tiny_segmentor

SIDE = 96


@pytest.fixture
def step(monkeypatch):
    """Model, batch, outputs; the flaws of both networks are made up, with ties and bad ones."""
    model = build_model('gct', tiny_segmentor(norm=False), weight=7.0, correction_weight=3.0)
    inputs, samples = batch_for(model, size=SIDE)
    samples['labelled'][0].gt_sem_seg.data[:, :30] = 255
    samples['unlabelled'][1].set_metainfo(dict(img_shape=(SIDE, 50)))
    batch = model.prepare(inputs, samples)
    outputs = {name: model.forward_network(name, batch) for name in model.learners}
    return model, batch, outputs


def logits_of(outputs, name) -> np.ndarray:
    both = [outputs[name][key].logits for key in ('labelled', 'unlabelled')]
    return torch.cat(both).detach().double().numpy()


def softmax(values: np.ndarray) -> np.ndarray:
    shifted = np.exp(values - values.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def test_each_network_learns_from_the_other_where_that_has_fewer_flaws(step, monkeypatch):
    model, batch, outputs = step
    generator = torch.Generator().manual_seed(0)
    flaws = torch.rand(2, 4, SIDE, SIDE, generator=generator)
    flaws[:, :, :20] = 0.5  # a tie
    flaws[:, :, 20:30] += 0.6  # both bad
    monkeypatch.setattr(model, 'flaws_of', lambda images, probs: flaws.flatten(0, 1))
    monkeypatch.setattr(
        'mmseg_tsf.models.segmentors.guided_collaborative_training.handled', lambda own: own
    )
    losses = model.unsupervised_loss(outputs, batch)
    names = model.learners
    probs = {name: softmax(logits_of(outputs, name)) for name in names}
    valid = np.ones((4, SIDE, SIDE), bool)
    valid[3, :, 50:] = False
    bad = flaws.numpy() > 0.6
    seen = np.where(bad, 1.0, flaws.numpy())
    total = 0.0
    for own, name in enumerate(names):
        other = names[1 - own]
        better = seen[1 - own] < seen[own]  # bad values count as 1, so both-bad is a tie
        difference = np.where(better[:, None], probs[name] - probs[other], 0.0)
        total += (difference**2).mean(axis=1)[valid].mean()
    assert float(losses['loss_consistency'].detach()) == pytest.approx(7.0 * total, rel=1e-4)
    both = (bad[0] & bad[1] & valid)[None] * flaws.numpy().astype(np.float64) ** 2
    correction = both.sum() / valid.sum()
    assert float(losses['loss_correction']) == pytest.approx(3.0 * correction, rel=1e-5)


def test_correction_reaches_the_networks_through_a_detector_that_stands_still(step):
    model, batch, outputs = step
    probs = torch.cat([outputs['student'][key].probs for key in ('labelled', 'unlabelled')])
    images = torch.cat((batch.labelled, batch.views['unlabelled'].images))
    model.flaws_of(images, probs).square().mean().backward()
    assert model.student.decode_head.conv_seg.weight.grad.abs().max() > 0
    assert all(p.grad is None for p in model.detector.parameters())


def test_detector_learns_on_labelled_pixels_and_moves_no_network(step):
    model, batch, outputs = step
    probs = [
        torch.cat([outputs[name][key].probs for key in ('labelled', 'unlabelled')])
        for name in model.learners
    ]
    loss = model.detector_loss(batch, probs)
    loss.backward()
    assert all(p.grad is not None for p in model.detector.parameters())
    assert all(p.grad is None for name in model.learners for p in getattr(model, name).parameters())
    changed = [own.clone() for own in probs]
    for own in changed:
        own[2:] = 1 / NUM_CLASSES  # of the unlabelled images
    torch.testing.assert_close(model.detector_loss(batch, changed), loss)


def test_detector_has_an_optimiser_of_its_own():
    model = build_model('gct')
    (options,) = model.part_optimizers.values()
    assert options['optimizer'] == dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))
    assert options['network'] is None
