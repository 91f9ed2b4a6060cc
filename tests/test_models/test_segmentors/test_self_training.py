"""Self-training against its definition in plain loops."""

import copy

import numpy as np
import pytest
import torch
from helpers import REFINED, SIZE, batch_for, build_model, make_sample, tiny_segmentor
from torch.nn.functional import cross_entropy, interpolate

from mmseg_tsf.models.segmentors.batch import View
from mmseg_tsf.models.segmentors.self_training import cut_out
from mmseg_tsf.models.utils.labels import PseudoLabels
from mmseg_tsf.utils.errors import UserError


def first_generation(**options):
    """A model without a teacher, as it is before its first stage."""
    model = build_model('self_training', **options)
    model.generation.zero_()
    model.has_snapshots = False
    return model


def state_of(network) -> dict:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_labels_are_those_of_the_mean_logits_at_image_size():
    model = build_model('self_training', scales=(0.5, 1.0, 2.0))
    images = batch_for(model)[0]['unlabelled']
    view = model.teacher_view(images)
    expected = 0.0
    for side in (16, 32, 64):
        scaled = interpolate(images, (side, side), mode='bilinear', align_corners=False)
        with torch.no_grad():
            logits = model.teacher(scaled, mode='tensor')
        expected = expected + interpolate(
            logits.double(), (SIZE, SIZE), mode='bilinear', align_corners=False
        )
    torch.testing.assert_close(view.logits.double(), expected / 3, rtol=1e-5, atol=1e-5)
    confidence = (expected / 3).softmax(dim=1)
    torch.testing.assert_close(view.probs.double(), confidence, rtol=1e-5, atol=1e-5)


def test_loss_is_one_mean_in_which_pixels_without_a_label_count_as_nothing():
    model = build_model('self_training', tiny_segmentor(norm=False), threshold=0.3)
    model.unlabelled_share = 0.6
    inputs, samples = batch_for(model)
    for branch in ('unlabelled', 'strong'):
        samples[branch][1].set_metainfo(dict(img_shape=(SIZE, 20)))
    samples['unlabelled'][0].gt_sem_seg.data[:, :9, :9] = 2
    samples['labelled'][0].gt_sem_seg.data[:, 5:9] = 255
    losses = model.loss(inputs, samples)

    labels, logits = teachers_labels(model, inputs, samples), {}
    for branch in ('labelled', 'strong'):
        with torch.no_grad():
            grid = model.student(inputs[branch], mode='tensor')
        shown = interpolate(grid, (SIZE, SIZE), mode='bilinear', align_corners=False)
        logits[branch] = shown.double().numpy()
    total, sure = mean_entropy(logits['strong'], labels, [SIZE, 20])
    truth = np.stack([own.gt_sem_seg.data[0].numpy() for own in samples['labelled']])
    supervised, _ = mean_entropy(logits['labelled'], truth, [SIZE, SIZE])
    assert float(losses['loss_unlabelled'].detach()) == pytest.approx(0.6 * total, rel=1e-5)
    assert float(losses['student.decode.loss_ce'].detach()) == pytest.approx(
        0.4 * supervised, rel=1e-5
    )
    assert float(losses['teacher.sure']) == pytest.approx(sure / (SIZE * (SIZE + 20)))
    assert 0.1 < float(losses['teacher.sure']) < 0.9


def teachers_labels(model, inputs, samples) -> np.ndarray:
    """Manual labels, and the teacher's own of at least 0.3 confidence; 255 elsewhere."""
    mean = model.teacher_view(inputs['unlabelled']).logits.double().numpy()
    labels = np.full((2, SIZE, SIZE), 255)
    for n, y, x in np.ndindex(labels.shape):
        manual = int(samples['unlabelled'][n].gt_sem_seg.data[0, y, x])
        scores = np.exp(mean[n, :, y, x])
        if manual != 255:
            labels[n, y, x] = manual
        elif scores.max() / scores.sum() >= 0.3:
            labels[n, y, x] = scores.argmax()
    return labels


def mean_entropy(logits, labels, widths) -> tuple[float, int]:
    """Cross entropy over all pixels that are no padding, and the number of those with a label."""
    total, pixels, known = 0.0, 0, 0
    for n, y, x in np.ndindex(labels.shape):
        if x >= widths[n]:
            continue
        pixels += 1
        if labels[n, y, x] != 255:
            scores = logits[n, :, y, x]
            total += np.log(np.exp(scores).sum()) - scores[labels[n, y, x]]
            known += 1
    return total / pixels, known


def test_the_first_generation_is_supervised_training():
    model, inputs = first_generation(), None
    inputs, samples = batch_for(model)
    calls = []
    model.teacher.backbone.register_forward_pre_hook(lambda *_: calls.append(1))
    reference = copy.deepcopy(model.student)
    losses = model.loss(inputs, samples)
    expected = reference.loss(inputs['labelled'], samples['labelled'])
    assert calls == []
    assert {f'student.{name}' for name in expected} == set(losses)
    for name, value in expected.items():
        torch.testing.assert_close(losses[f'student.{name}'], value)


@pytest.mark.parametrize('fresh', [False, True])
def test_a_stage_begins_with_the_student_of_the_one_before_as_teacher(fresh):
    model = first_generation(**REFINED)
    initial, student = state_of(model), state_of(model.student)
    for generation in (1, 2):
        with torch.no_grad():
            for parameter in (*model.student.parameters(), *model.refinement.parameters()):
                parameter.add_(torch.randn_like(parameter))
        model.student.backbone.stem.bn.num_batches_tracked += 7
        learnt, heads = state_of(model.student), state_of(model.refinement)
        model.begin_stage(dict(initial) if fresh else None)
        assert all(torch.equal(v, learnt[k]) for k, v in model.teacher.state_dict().items())
        own = model.refinement_teacher.state_dict()
        assert own and all(torch.equal(v, heads[k]) for k, v in own.items())
        expected = student if fresh else learnt
        assert all(torch.equal(v, expected[k]) for k, v in model.student.state_dict().items())
        assert int(model.generation) == generation and model.has_snapshots
    assert not any(p.requires_grad for p in model.refinement_teacher.parameters())
    again = first_generation(**REFINED)
    again.load_state_dict(model.state_dict())
    assert again.has_snapshots and not first_generation().has_snapshots


def test_the_teacher_stands_still_in_training():
    model = build_model('self_training')
    before = state_of(model.teacher)
    model.train()
    losses = model.loss(*batch_for(model))
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    after = model.teacher.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert model.averages_to_move(3) == () and model.predict_on == 'student'


def test_cut_out_squares_are_hidden_and_teach_nothing():
    torch.manual_seed(0)
    samples = [make_sample(torch.full((40, 64), 255)) for _ in range(200)]
    view = View.of(torch.ones(200, 3, 40, 64), samples)
    view.manual[:, :20] = 3
    labels = torch.zeros_like(view.manual)
    view.pseudo['teacher'] = PseudoLabels(labels, torch.ones(200, 40, 64), labels.byte())
    found = cut_out(view, size=10, probability=0.25)
    hidden, areas = found.images[:, 0] == 0, []
    for n in range(200):
        rows, columns = hidden[n].any(dim=1).nonzero(), hidden[n].any(dim=0).nonzero()
        if len(rows):
            top, bottom = int(rows[0]), int(rows[-1]) + 1
            left, right = int(columns[0]), int(columns[-1]) + 1
            assert hidden[n, top:bottom, left:right].all()
            assert int(hidden[n].sum()) == (bottom - top) * (right - left) <= 100
            areas.append(int(hidden[n].sum()))
    assert 30 < len(areas) < 70 and areas.count(100) > len(areas) / 3
    assert (found.images == (~hidden).unsqueeze(1)).all()
    pseudo = found.pseudo['teacher']
    assert torch.equal(pseudo.labels == 255, hidden)
    assert torch.equal(pseudo.confidence == 0, hidden)
    assert torch.equal(found.manual != 255, (view.manual != 255) & ~hidden)
    assert found.valid.all()  # hidden pixels count in the mean, without a loss


def test_cut_out_pixels_have_no_gradient():
    model = build_model('self_training', cutout=dict(size=20, probability=1), manual_weight=1.0)
    inputs, samples = batch_for(model)
    samples['unlabelled'][0].gt_sem_seg.data[:] = 1
    batch = model.prepare(inputs, samples)
    outputs = {'student': model.forward_network('student', batch)}
    view = batch.views['unlabelled']
    visible = view.images[:, 0] != 0
    logits = outputs['student']['unlabelled'].logits
    losses = model.unsupervised_loss(outputs, batch)
    (gradient,) = torch.autograd.grad(losses['loss_unlabelled'], logits, retain_graph=True)
    assert (gradient.abs().sum(dim=1)[~visible] == 0).all()
    assert 0 < int(visible.sum()) < visible.numel()
    given = visible.clone()
    given[1] = False
    manual = model.manual_loss(outputs, batch)['student.loss_manual']
    chosen = logits.movedim(1, -1)[given]
    torch.testing.assert_close(manual, cross_entropy(chosen, torch.ones(len(chosen)).long()))


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        (dict(scales=()), r'scales=\(\) must be a list of positive numbers'),
        (dict(scales=(1.0, -2)), 'must be a list of positive numbers'),
        (dict(scales=(0.5,), **REFINED), r'has no 1, of which error_head and refiner'),
        (dict(threshold=1.0), r'threshold=1.0 must lie in \[0, 1\)'),
        (dict(unlabelled_share=1), r'unlabelled_share=1 must lie in \[0, 1\)'),
        (dict(cutout=dict(side=3)), r'must be dict\(size=50, probability=0.5\) or None'),
        (dict(cutout=dict(size=0)), r'cutout.size=0 must be a whole number'),
        (dict(cutout=dict(size=5, probability=0)), r'cutout.probability=0 must lie in \(0, 1\]'),
        (dict(average_mode='train'), 'would move the statistics'),
        (dict(average_mode='best'), "average_mode is 'auto', 'eval' or 'train'"),
    ],
)
def test_wrong_options(options, sentence):
    with pytest.raises(UserError, match=sentence):
        build_model('self_training', **options)
