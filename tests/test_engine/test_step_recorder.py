"""What is recorded is what the losses are made of, and nothing else changes."""

import pytest
import torch
from helpers import METHODS, NUM_CLASSES, batch_for, build_model, tiny_segmentor

from mmseg_tsf.engine.step_recorder import StepRecorder
from mmseg_tsf.models.utils.pixel_losses import weighted_cross_entropy


def record(model, inputs, samples):
    """Losses of a step, and what was recorded of it."""
    recorder = StepRecorder(model)
    torch.manual_seed(1)
    with recorder.listen():
        losses = model.loss(inputs, samples)
    assert model.listeners == []
    return losses, recorder.step


@pytest.mark.parametrize('method', METHODS)
def test_a_step_is_what_it_would_be_without_a_recorder(method):
    model = build_model(method)
    losses, _ = record(model, *batch_for(model))
    model = build_model(method)
    torch.manual_seed(1)
    expected = model.loss(*batch_for(model))
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(torch.as_tensor(losses[name]), torch.as_tensor(value)), name


TITLES = {
    'supervised': ([], []),
    'deal': ([], []),
    'mt': (['student learns from teacher'], ['student learns from teacher']),
    'mt_cutmix': ([], ['student learns from teacher']),
    'cps': (['student learns from friend', 'friend learns from student'],) * 2,
    'cps_cutmix': ([], ['student learns from friend', 'friend learns from student']),
    'ael': ([], ['student learns from teacher']),
    'ael_random': (['student learns from teacher'], ['student learns from teacher']),
    'tsf': (
        [],
        [
            'student learns from teacher',
            'student learns from friend',
            'friend learns from student',
        ],
    ),
    'cct': ([], ['student learns from student'] * 12),
    'gct': (['student learns from friend', 'friend learns from student'],) * 2,
    'psmt': ([], ['student learns from teacher_1']),
    'u2pl': ([], ['student learns from teacher']),
    'self_training': ([], ['student learns from teacher']),
    'unimatch': ([], ['student learns from student']),
    'unimatch_v2': ([], ['student learns from teacher']),
}


@pytest.mark.parametrize('method', METHODS)
def test_every_lesson_has_its_title(method):
    model = build_model(method)
    inputs, samples = batch_for(model, num=3)
    taught = record(model, inputs, samples)[1].taught
    on_labelled, on_unlabelled = TITLES[method]
    found = [lesson.title for lesson in taught['labelled']]
    assert found == ['student learns from labels', *on_labelled]
    views = {name: own for name, own in taught.items() if name not in ('labelled', 'weak')}
    for lessons in views.values():
        assert [lesson.title for lesson in lessons] == on_unlabelled
    for lesson in (own for lessons in taught.values() for own in lessons):
        assert lesson.labels.shape == lesson.weight.shape == (3, 32, 32)
        assert (lesson.weight >= 0).all()
        assert (lesson.weight[lesson.labels == 255] == 0).all()


@pytest.mark.parametrize('method, name', [('ael', 'loss_ts'), ('cps_cutmix', 'loss_cps')])
def test_labels_and_weights_make_the_loss(method, name):
    model = build_model(method)
    outputs, forward = {}, model.forward_network
    model.forward_network = lambda name, batch: outputs.setdefault(name, forward(name, batch))
    losses, step = record(model, *batch_for(model))
    total = 0
    for lesson in step.taught['unlabelled']:
        logits = outputs[lesson.title.split()[0]]['unlabelled'].logits
        total += weighted_cross_entropy(logits, lesson.labels, lesson.weight)
    factor = getattr(model, 'weight', 1.0)
    torch.testing.assert_close(losses[name], factor * total)
    assert total > 0


def test_mixed_images_are_the_ones_that_the_network_saw():
    model = build_model('tsf')
    seen = []
    model.friend.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    batch = record(model, *batch_for(model))[1].batch
    assert torch.equal(seen[0], torch.cat((batch.labelled, batch.views['unlabelled'].images)))


def test_class_weights_and_void_are_in_the_weights_of_the_labels():
    weights = [1.0, 2.0, 3.0, 0.5]
    loss = dict(type='CrossEntropyLoss', class_weight=weights)
    model = build_model('supervised', tiny_segmentor(loss_decode=loss))
    inputs, samples = batch_for(model)
    samples['labelled'][0].gt_sem_seg.data[..., :5] = 255
    (lesson,) = record(model, inputs, samples)[1].taught['labelled']
    for number in range(NUM_CLASSES):
        assert (lesson.weight[lesson.labels == number] == weights[number]).all()
    assert (lesson.weight[0, :, :5] == 0).all()


def test_manual_pixels_are_taught_by_people():
    model = build_model('cps', manual_weight=1.0)
    inputs, samples = batch_for(model)
    samples['unlabelled'][0].gt_sem_seg.data[..., :7] = 2
    taught = record(model, inputs, samples)[1].taught['unlabelled']
    manual = [lesson for lesson in taught if lesson.title.endswith('people')]
    assert [lesson.title for lesson in manual] == [
        'student learns from people',
        'friend learns from people',
    ]
    assert set(manual[0].labels.unique().tolist()) == {2, 255}
    assert (manual[0].weight == (manual[0].labels == 2)).all()
