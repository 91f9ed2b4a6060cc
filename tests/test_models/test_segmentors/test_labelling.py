"""Networks that label: refinement of any labeller, perturbed views, networks of several kinds."""

import pytest
import torch
from helpers import NUM_CLASSES, REFINED, SIZE, batch_for, build_model, tiny_segmentor
from tiny_runs import make_runner, tiny_runner_cfg

from mmseg_tsf.models import SemiBatch, View
from mmseg_tsf.models.utils.ema import ema_update
from mmseg_tsf.models.utils.labels import Source
from mmseg_tsf.utils.errors import UserError


@pytest.mark.parametrize('method', ['cps', 'cps_cutmix'])
def test_learners_that_label_have_their_labels_refined(method):
    model = build_model(method, **REFINED)
    assert list(model.refinements) == ['student', 'friend']
    assert model.refinement is model.refinements['student']
    inputs, samples = batch_for(model)
    for refinement in model.refinements.values():
        refinement.active = True
    losses = model.loss(inputs, samples)
    for name, refinement in model.refinements.items():
        prefix = '' if name == 'student' else f'{name}.'
        loss = losses[f'{prefix}loss_emd']
        model.zero_grad()
        loss.backward(retain_graph=True)
        assert any(p.grad.abs().max() > 0 for p in refinement.error_head.parameters())
        network = getattr(model, name).parameters()
        assert all(p.grad is None or not p.grad.any() for p in network)
        assert 0 < losses[f'{name}.refinement.flagged'] <= 1


def test_manual_pixels_win_over_learners_that_label():
    """Cross entropy to the other's labels, the people's where there are any, by plain means."""
    model = build_model('cps', segmentor=tiny_segmentor(norm=False), ramp=(0.0, 0.0))
    inputs, samples = batch_for(model)
    for sample in samples['unlabelled']:
        sample.gt_sem_seg.data[:, :9] = 2
    loss = model.loss(inputs, samples)['loss_cps']
    images = torch.cat((inputs['labelled'], inputs['unlabelled']))
    logits = [model.show(name, images).logits for name in ('student', 'friend')]
    expected = 0
    for own, other in (logits, logits[::-1]):
        labels = other.argmax(dim=1)
        labels[len(inputs['labelled']) :, :9] = 2
        expected += torch.nn.functional.cross_entropy(own, labels)
    torch.testing.assert_close(loss, model.weight * expected)


def test_a_run_turns_all_refinements_on(data_root, tmp_path):
    model = dict(type='CrossPseudoSupervision', weight=1.0, segmentor=tiny_segmentor(), **REFINED)
    cfg = tiny_runner_cfg('', data_root, tmp_path, max_iters=3, model=model)
    runner = make_runner(cfg)
    runner.train()
    assert [r.active for r in runner.model.refinements.values()] == [True, True]


def test_sources_say_who_labelled_a_pixel():
    model = build_model('mt')
    inputs, samples = batch_for(model)
    samples['unlabelled'][0].gt_sem_seg.data[:, :5] = 1
    view = View.of(inputs['unlabelled'], samples['unlabelled'])
    pseudo, stats = model.label(
        'teacher', model.view('teacher', view.images), view.manual, view.valid
    )
    assert stats == {}
    assert (pseudo.source[0, :5] == Source.MANUAL).all()
    assert (pseudo.source[0, 5:] == Source.NETWORK).all()
    assert (pseudo.labels[0, :5] == 1).all() and (pseudo.confidence[0, :5] == 1).all()
    rolled = View(view.images, view.valid, view.manual, dict(teacher=pseudo)).map(
        lambda maps: maps.roll(1, dims=0)
    )
    assert torch.equal(rolled.pseudo['teacher'].source[1], pseudo.source[0])
    assert torch.equal(rolled.images[1], view.images[0])
    assert torch.equal(rolled.manual[1], view.manual[0])


def test_a_view_of_perturbed_features_equals_a_pass_by_hand():
    model = build_model('supervised', segmentor=tiny_segmentor(norm=False))
    inputs, samples = batch_for(model)
    weak = View.of(inputs['labelled'].flip(3), samples['labelled'])

    def halve(maps):
        return [m / 2 for m in maps]

    halved = View(
        weak.images,
        weak.valid,
        weak.manual,
        perturb=lambda maps: [m / 2 for m in maps],
        base='weak',
    )
    batch = SemiBatch(inputs['labelled'], samples['labelled'], dict(weak=weak, halved=halved))
    found = model.forward_network('student', batch)['halved'].grid_logits
    features = halve(model.student.extract_feat(weak.images))
    torch.testing.assert_close(found, model.student.decode_head.forward(features))


def test_learners_may_be_of_several_kinds():
    other = tiny_segmentor(pointwise=True)
    model = build_model('tsf', networks=dict(friend=other))
    assert model.friend.backbone.stem.conv.kernel_size == (1, 1)
    assert model.student.backbone.stem.conv.kernel_size == (3, 3)
    ema_update(model.teacher, model.student, decay=0.0)  # the teacher is built like the student
    losses = model.loss(*batch_for(model))
    assert all(torch.as_tensor(value).isfinite().all() for value in losses.values())
    shown = model.show('friend', batch_for(model)[0]['unlabelled'])
    assert shown.logits.shape == (2, NUM_CLASSES, SIZE, SIZE)


@pytest.mark.parametrize(
    ('networks', 'sentence'),
    [
        (dict(teacher=tiny_segmentor()), 'model.networks has teacher: .* the learners student'),
        (dict(friend=tiny_segmentor(num_classes=7)), 'friend has 7 classes, student 4'),
    ],
)
def test_networks_that_do_not_fit(networks, sentence):
    with pytest.raises(UserError, match=sentence):
        build_model('tsf', networks=networks)
