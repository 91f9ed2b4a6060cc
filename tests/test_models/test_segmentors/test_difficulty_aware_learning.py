"""Training with a difficulty branch: what is learnt, by whom, and what is saved."""

import pytest
import torch
from helpers import SIZE, build_model, make_batch, make_sample, model_cfg, tiny_segmentor
from mmseg.registry import MODELS

from mmseg_tsf.models.decode_heads.difficulty_branch import difficulty_loss


@pytest.fixture
def step():
    """Model, batch and what the network shows; a part of the labels is void."""
    model = build_model('deal', tiny_segmentor(norm=False))
    model.part('difficulty', 'student').attention.gamma.data.fill_(0.5)
    inputs, samples = make_batch(('labelled',))
    samples['labelled'][0].gt_sem_seg.data[:, :10] = 255
    batch = model.prepare(inputs, samples)
    return model, batch, model.forward_network('student', batch)


def test_the_branch_learns_the_errors_and_void_is_none(step):
    model, batch, output = step
    losses = model.supervised_loss('student', output, batch)
    plain = model.student.loss(batch.labelled, batch.samples)
    assert set(losses) == {*plain, 'loss_difficulty'}
    for name, value in plain.items():
        torch.testing.assert_close(losses[name], value)
    logits = model.part('difficulty', 'student')(output['labelled'].grid_logits, (SIZE, SIZE))
    predicted = output['labelled'].logits.argmax(dim=1)
    wrong = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    known = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    for n, sample in enumerate(batch.samples):
        for y in range(SIZE):
            for x in range(SIZE):
                label = int(sample.gt_sem_seg.data[0, y, x])
                known[n, y, x] = label != 255
                wrong[n, y, x] = label != 255 and label != int(predicted[n, y, x])
    assert not known[0, :10].any() and known[1].all() and wrong.any()
    expected = difficulty_loss(logits, wrong, known)
    torch.testing.assert_close(losses['loss_difficulty'], expected)


def test_its_loss_trains_the_network_too(step):
    model, batch, output = step
    model.supervised_loss('student', output, batch)['loss_difficulty'].backward()
    for name, parameter in model.student.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_single_sigmoid_channel_has_two_probabilities():
    loss = dict(type='CrossEntropyLoss', use_sigmoid=True)
    head = dict(num_classes=2, out_channels=1, threshold=0.5, loss_decode=loss)
    model = build_model('deal', tiny_segmentor(**head))
    inputs, _ = make_batch(('labelled',))
    labels = [make_sample(torch.ones(SIZE, SIZE)) for _ in range(2)]
    losses = model.loss(inputs, dict(labelled=labels))
    assert losses['student.loss_difficulty'].isfinite()


def test_the_branch_is_saved_and_does_not_predict():
    saved = build_model('deal')
    keys = [key for key in saved.state_dict() if '.parts.difficulty.' in key]
    assert sorted(key.rsplit('difficulty.')[1] for key in keys) == [
        'attention.gamma',
        'classifier.bias',
        'classifier.weight',
    ]
    model = MODELS.build(model_cfg('deal'))
    model.load_state_dict(saved.state_dict())
    images = torch.randn(2, 3, SIZE, SIZE)
    expected = saved.eval()(images)
    model.part('difficulty', 'student').classifier.weight.data.fill_(5.0)
    assert torch.equal(model.eval()(images), expected)


def test_half_precision_gives_about_the_same_loss(step):
    model, batch, _ = step
    found = []
    for enabled in (False, True):
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            output = model.forward_network('student', batch)
            assert output['labelled'].grid_logits.dtype == (
                torch.bfloat16 if enabled else torch.float32
            )
            loss = model.supervised_loss('student', output, batch)['loss_difficulty']
        assert loss.dtype == torch.float32
        found.append(float(loss.detach()))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.student.parameters())
    assert found[1] == pytest.approx(found[0], rel=0.02)
