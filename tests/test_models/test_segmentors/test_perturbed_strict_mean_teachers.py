"""PS-MT against its definition in plain loops."""

import numpy as np
import pytest
import torch
from helpers import SIZE, batch_for, build_model, freeze_norm, tiny_segmentor

from mmseg_tsf.models.segmentors.perturbed_strict_mean_teachers import strict_ensemble
from mmseg_tsf.utils.errors import UserError


def test_strict_ensemble():
    generator = torch.Generator().manual_seed(0)
    core, other = torch.randn(2, 2, 9, 4, 5, generator=generator)
    other[0, :, 0, 0] = 0.0  # a genuine zero is a logit like any other
    found = strict_ensemble(core, other, 7)
    for n in range(2):
        for y in range(4):
            for x in range(5):
                own, scores = core[n, :, y, x], other[n, :, y, x]
                least = sorted(scores.tolist(), reverse=True)[6]
                for k in range(9):
                    second = scores[k] if float(scores[k]) >= least else own[k]
                    assert float(found[n, k, y, x]) == pytest.approx(
                        (float(own[k]) + float(second)) / 2, rel=1e-6
                    )
    assert torch.equal(strict_ensemble(core[:, :4], other[:, :4], 7), (core + other)[:, :4] / 2)


def test_teachers_take_turns_after_the_warm_up():
    model = build_model('psmt', turn=3, warm_up=2)
    moved = [model.averages_to_move(i) for i in range(11)]
    first, second = ('teacher_1',), ('teacher_2',)
    assert moved == [(), (), first, first, first, second, second, second, first, first, first]


def test_the_core_is_the_teacher_that_moves():
    model = build_model('psmt', tiny_segmentor(norm=False), turn=1, top_classes=1, noise=0.0)
    inputs, samples = batch_for(model)
    first, second = (model.view(name, inputs['unlabelled']).grid_logits for name in model.averages)
    for iteration, (core, other) in enumerate(((first, second), (second, first))):
        model.iteration = iteration
        torch.manual_seed(0)
        confidence = model.prepare(inputs, samples).views['unlabelled'].pseudo['teacher_1']
        expected = strict_ensemble(core, other, 1)
        model.cutmix, boxes = None, model.cutmix
        plain = model.prepare(inputs, samples).views['unlabelled'].pseudo['teacher_1']
        model.cutmix = boxes
        upsampled = torch.nn.functional.interpolate(expected, (SIZE, SIZE), mode='bilinear')
        assert torch.equal(plain.labels, upsampled.argmax(dim=1))
        torch.testing.assert_close(plain.confidence, upsampled.softmax(dim=1).amax(dim=1))
        assert not torch.equal(confidence.labels, plain.labels)  # mixed


def test_loss_is_cross_entropy_times_confidence_over_the_sure_pixels():
    model = build_model('psmt', tiny_segmentor(norm=False), threshold=0.3, weight=2.0)
    inputs, samples = batch_for(model)
    for branch in ('unlabelled', 'strong'):
        samples[branch][1].set_metainfo(dict(img_shape=(SIZE, 20)))
    batch = model.prepare(inputs, samples)
    outputs = {'student': model.forward_network('student', batch)}
    loss = float(model.unsupervised_loss(outputs, batch)['loss_consistency'].detach())
    view = batch.views['unlabelled']
    pseudo, logits = view.pseudo['teacher_1'], outputs['student']['unlabelled'].logits
    logits, total, sure = logits.detach().double().numpy(), 0.0, 0
    for n in range(2):
        for y in range(SIZE):
            for x in range(SIZE):
                confidence = float(pseudo.confidence[n, y, x])
                if view.valid[n, y, x] and confidence >= 0.3:
                    scores = logits[n, :, y, x]
                    entropy = np.log(np.exp(scores).sum()) - scores[pseudo.labels[n, y, x]]
                    total, sure = total + confidence * entropy, sure + 1
    assert 0 < sure < 2 * SIZE * SIZE
    assert loss == pytest.approx(2.0 * total / sure, rel=1e-5)


def test_noise_is_added_to_labelled_and_unlabelled_features_and_restores_modes():
    model = build_model('psmt', noise=2.0)
    freeze_norm(model)
    before = {name: module.training for name, module in model.named_modules()}
    inputs, samples = batch_for(model)
    batch = model.prepare(inputs, samples)
    seen = model.forward_network('student', batch)
    assert {name: module.training for name, module in model.named_modules()} == before
    for branch, images in (
        ('labelled', batch.labelled),
        ('unlabelled', batch.views['unlabelled'].images),
    ):
        plain = model.student.extract_feat(images)
        difference = (seen[branch].backbone[-1] - plain[-1]).detach().flatten(1).norm(dim=1)
        torch.testing.assert_close(difference, torch.full((2,), 2.0), rtol=1e-3, atol=1e-3)


def test_there_is_no_noise_in_the_warm_up():
    model = build_model('psmt', warm_up=2, noise=2.0)
    inputs, samples = batch_for(model)
    for iteration in range(4):
        model.iteration = iteration
        batch = model.prepare(inputs, samples)
        perturbed = batch.views['unlabelled'].perturb, batch.perturb_labelled
        assert all((own is None) == (iteration < 2) for own in perturbed)


def test_noise_has_the_same_direction_under_autocast():
    """The search follows the difference of two predictions that are almost the same."""
    model = build_model('psmt', noise=2.0)
    freeze_norm(model)
    maps = [own.detach() for own in model.student.extract_feat(batch_for(model)[0]['labelled'])]
    noise = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            noisy = model.with_noise(maps, torch.ones(2, SIZE, SIZE, dtype=torch.bool))
        noise.append((noisy[-1] - maps[-1]).flatten(1))
    assert torch.cosine_similarity(*noise, dim=1).min() > 0.999


def test_teachers_learn_from_labels_in_the_warm_up_and_never_after():
    model = build_model('psmt', warm_up=2)
    inputs, samples = batch_for(model)
    for iteration in range(4):
        model.iteration = iteration
        model.zero_grad(set_to_none=True)
        losses = model.loss(inputs, samples)
        sum(v.sum() for k, v in losses.items() if 'loss' in k).backward()
        is_warm_up = iteration < 2
        assert ('teacher_2.decode.loss_ce' in losses) == is_warm_up
        assert (float(losses['loss_consistency'].detach()) == 0) == is_warm_up
        for name in model.averages:
            learned = [p.grad is not None for p in getattr(model, name).parameters()]
            assert all(learned) if is_warm_up else not any(learned)


def test_wrong_turn():
    with pytest.raises(UserError, match='turn=0 and top_classes=7 must be at least 1'):
        build_model('psmt', turn=0)
