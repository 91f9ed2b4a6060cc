"""U2PL against its definition in plain loops."""

import numpy as np
import pytest
import torch
from helpers import SIZE, batch_for, build_model, tiny_segmentor

from mmseg_tsf.models.segmentors.unreliable_pseudo_labels import percentile


def step(progress: float = 0.25, **options):
    """Model, inputs, batch, outputs of a step; the second image is padded."""
    model = build_model('u2pl', tiny_segmentor(norm=False), **options)
    model.progress.fill_(progress)
    inputs, samples = batch_for(model)
    samples['unlabelled'][1].set_metainfo(dict(img_shape=(SIZE, 20)))
    samples['unlabelled'][0].gt_sem_seg.data[:, :4, :4] = 3
    torch.manual_seed(0)
    batch = model.prepare(inputs, samples)
    return model, inputs, batch, {'student': model.forward_network('student', batch)}


def test_unsure_pixels_are_dropped_and_the_others_weigh_more():
    model, _, batch, outputs = step(drop_share=0.4, weight=2.0)
    losses = model.unsupervised_loss(outputs, batch)
    view = batch.views['unlabelled']
    probs = view.targets['teacher'].double().numpy()
    logits = outputs['student']['unlabelled'].logits.detach().double().numpy()
    labels = view.pseudo['teacher'].labels.numpy()
    entropy = -(probs * np.log(probs.clip(1e-10))).sum(axis=1)
    entropy[view.manual.numpy() != 255] = 0.0
    known = labels != 255
    limit = np.percentile(entropy[known], 100 * (1 - 0.4 * 0.75))
    total, kept = 0.0, 0
    for n, y, x in np.argwhere(known & (entropy <= limit)):
        scores = logits[n, :, y, x]
        total += np.log(np.exp(scores).sum()) - scores[labels[n, y, x]]
        kept += 1
    assert kept == pytest.approx(0.7 * known.sum(), abs=2)
    expected = 2.0 * (total / kept) * (int(view.valid.sum()) / kept)  # padding was never there
    assert float(losses['loss_unlabelled'].detach()) == pytest.approx(expected, rel=1e-4)
    assert (labels[:, :4, :4][view.manual[:, :4, :4].numpy() != 255] == 3).all()


def mostly_manual(share: float = 0.9, label: int = 3):
    """Model, batch and outputs of a step where people have labelled most of the pixels."""
    model = build_model('u2pl', tiny_segmentor(norm=False), drop_share=0.2)
    model.progress.zero_()
    inputs, samples = batch_for(model)
    for sample in samples['unlabelled']:
        sample.gt_sem_seg.data[:, : int(share * SIZE)] = label
    batch = model.prepare(inputs, samples)
    return model, batch, {'student': model.forward_network('student', batch)}


def test_what_people_have_labelled_teaches_where_nothing_else_is_as_sure():
    """The percentile of the entropies is 0 then, which is theirs."""
    model, batch, outputs = mostly_manual()
    losses = model.unsupervised_loss(outputs, batch)
    given = batch.views['unlabelled'].manual != 255
    assert float(given.float().mean()) > 0.85
    assert float(losses['teacher.kept']) == pytest.approx(float(given.float().mean()), abs=0.01)
    chosen = outputs['student']['unlabelled'].logits.movedim(1, -1)[given]
    entropy = torch.nn.functional.cross_entropy(chosen, torch.full((len(chosen),), 3))
    expected = entropy * SIZE * SIZE * 2 / given.sum()
    torch.testing.assert_close(losses['loss_unlabelled'], expected)


def test_what_people_have_labelled_is_no_negative_by_being_unsure(monkeypatch):
    model, batch, outputs = mostly_manual()
    queued = []
    monkeypatch.setattr(model.queues, 'append', lambda keys, negative: queued.append(negative))
    model.unsupervised_loss(outputs, batch)
    given = batch.views['unlabelled'].manual[:, ::2, ::2] != 255
    assert not queued[0][2:].any(dim=1)[given].any()


def test_the_head_of_the_teacher_normalises_all_images_of_a_step_together(monkeypatch):
    model = build_model('u2pl', cutmix=None)
    head = model.part('representation', 'teacher')
    for layer in head:
        if isinstance(layer, torch.nn.Dropout2d):
            layer.p = 0.0
    queued = []
    monkeypatch.setattr(model.queues, 'append', lambda keys, negative: queued.append(keys))
    inputs, samples = batch_for(model)
    batch = model.prepare(inputs, samples)
    model.unsupervised_loss({'student': model.forward_network('student', batch)}, batch)
    assert [int(own.num_batches_tracked) for own in head if hasattr(own, 'running_mean')] == [1, 1]
    images = torch.cat((inputs['labelled'], inputs['unlabelled']))
    maps = model.view('teacher', images).tapped[model.taps[0]]
    torch.testing.assert_close(queued[0], head(maps).detach())


@pytest.mark.parametrize('share', [0.0, 0.13, 0.8, 1.0])
def test_percentile_counts_the_masked_values_only(share):
    values = torch.rand(2, 7, 9, generator=torch.Generator().manual_seed(0))
    mask = values > 0.2
    expected = np.percentile(values[mask].double().numpy(), 100 * share)
    assert float(percentile(values, mask, torch.tensor(share))) == pytest.approx(expected, rel=1e-6)


def test_representations_of_the_teacher_are_mixed_as_the_images_are():
    model, inputs, _, _ = step(cutmix=dict(area=(0.3, 0.3)))
    model.part('representation', 'teacher').eval()  # no dropout
    samples = batch_for(model)[1]
    view = model.prepare(inputs, samples).views['unlabelled']
    (plain,) = model.represent(model.view('teacher', inputs['unlabelled']))
    is_pasted = (view.images != inputs['unlabelled']).any(dim=1)[:, ::2, ::2]  # of each cell
    assert 0.1 < is_pasted.float().mean() < 0.5
    expected = torch.where(is_pasted[:, None], plain.roll(1, dims=0), plain)
    assert plain.shape == (2, 8, 16, 16)
    torch.testing.assert_close(view.targets['representation'], expected)


def test_queues_are_state_of_the_method_and_negatives_as_in_the_code_stay_away():
    model, _, batch, outputs = step()
    model.unsupervised_loss(outputs, batch)
    assert model.queues.length.min() > 0
    state = model.state_dict()
    assert {'queues.examples', 'queues.head', 'queues.length'} <= set(state)
    as_code, _, batch, outputs = step(as_code=True)
    losses = as_code.unsupervised_loss(outputs, batch)
    assert as_code.queues.length.max() == 0  # the label is the first rank, never the third
    assert float(losses['loss_contrast'].detach()) == 0


def test_contrast_teaches_the_student_and_no_teacher():
    model, _, batch, outputs = step()
    model.unsupervised_loss(outputs, batch)['loss_contrast'].backward()
    assert model.student.backbone.stem.conv.weight.grad.abs().max() > 0
    head = model.part('representation', 'student')
    assert all(p.grad is not None for p in head.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())
    assert model.part('representation', 'teacher') is not head


def test_the_head_reads_the_module_that_is_named():
    model = build_model('u2pl', features='decode_head.convs')
    assert model.part('representation', 'student')[0].in_channels == 12
    assert model.taps == ('decode_head.convs:input',)
