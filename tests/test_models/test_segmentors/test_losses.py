"""The methods' own losses against plain arithmetic, their gradients and the padding."""

import math

import pytest
import torch
from helpers import (
    METHODS,
    NUM_CLASSES,
    SIZE,
    SUPERVISED,
    batch_for,
    build_model,
    freeze_norm,
    make_batch,
    tiny_segmentor,
)

from mmseg_tsf.models.utils.labels import PseudoLabels
from mmseg_tsf.utils.errors import UserError


def gradients(model, loss) -> dict:
    """Largest gradient of a loss by network."""
    model.zero_grad(set_to_none=True)
    loss.backward(retain_graph=True)
    return {
        name: max(
            (
                float(p.grad.abs().max())
                for p in getattr(model, name).parameters()
                if p.grad is not None
            ),
            default=0.0,
        )
        for name in model.network_names
    }


@pytest.mark.parametrize('consistency_on_labelled', [False, True])
def test_tsf_sends_each_loss_to_whom_it_belongs(consistency_on_labelled):
    model = build_model('tsf', consistency_on_labelled=consistency_on_labelled)
    losses = model.loss(*batch_for(model))
    from_teacher = gradients(model, losses['loss_ts'])
    assert from_teacher['student'] > 0
    assert from_teacher['friend'] == from_teacher['teacher'] == 0.0
    from_peers = gradients(model, losses['loss_cps'])
    assert from_peers['student'] > 0
    assert from_peers['friend'] > 0
    assert from_peers['teacher'] == 0.0
    supervised = gradients(model, losses['friend.decode.loss_ce'])
    assert supervised['friend'] > 0
    assert supervised['student'] == 0.0


def plain_teacher_student(logits, pseudo, gamma, threshold, rate, uniform) -> float:
    """AEL's loss one pixel at a time; ``uniform`` holds the Bernoulli draws."""
    total = norm = 0.0
    n, _, height, width = logits.shape
    for i in range(n):
        for row in range(height):
            for col in range(width):
                label = int(pseudo.labels[i, row, col])
                confidence = float(pseudo.confidence[i, row, col])
                values = logits[i, :, row, col].double().tolist()
                predicted = values.index(max(values))
                keep = float(uniform[i, row, col]) < float(rate[predicted])
                if label == 255 or confidence < threshold or not keep:
                    continue
                weight = confidence**gamma
                log_total = math.log(sum(math.exp(v) for v in values))
                total += weight * (log_total - values[label])
                norm += weight
    return total / norm


@pytest.mark.parametrize('gamma', [1.0, 2.0])
@pytest.mark.parametrize('threshold', [0.0, 0.5])
@pytest.mark.parametrize('sampling', [False, True])
@pytest.mark.parametrize('reweighting', [False, True])
def test_teacher_student_loss_equals_a_plain_loop(gamma, threshold, sampling, reweighting):
    model = build_model(
        'ael',
        gamma=gamma,
        threshold=threshold,
        equalization_sampling=sampling,
        dynamic_reweighting=reweighting,
    )
    model.confidence_bank.confidence.copy_(torch.tensor([0.9, 0.2, 0.6, 0.8]))
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, NUM_CLASSES, 7, 9, generator=generator)
    labels = torch.randint(NUM_CLASSES, (2, 7, 9), generator=generator)
    confidence = torch.rand(2, 7, 9, generator=generator)
    labels[0, :2] = 255
    confidence[0, :2] = 0
    pseudo = PseudoLabels(labels, confidence, torch.zeros_like(labels))
    torch.manual_seed(11)
    loss, weight = model.teacher_student_loss('unlabelled', logits, pseudo)
    torch.manual_seed(11)
    uniform = torch.rand(2, 7, 9) if sampling else torch.zeros(2, 7, 9)
    rate = torch.tensor([0.1, 0.8, 0.4, 0.2]) / 0.8 if sampling else torch.ones(NUM_CLASSES)
    expected = plain_teacher_student(
        logits, pseudo, gamma if reweighting else 0.0, threshold, rate, uniform
    )
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert (weight[confidence < threshold] == 0).all()


def test_pixels_are_kept_at_the_rate_of_the_class_that_the_student_predicts():
    model = build_model('ael', dynamic_reweighting=False)
    model.confidence_bank.confidence.copy_(torch.tensor([0.9, 0.2, 0.6, 0.8]))
    predicted = torch.randint(NUM_CLASSES, (1, 200, 200))
    logits = torch.nn.functional.one_hot(predicted, NUM_CLASSES).permute(0, 3, 1, 2).float()
    pseudo = PseudoLabels(
        (predicted + 1) % NUM_CLASSES, torch.ones(1, 200, 200), torch.zeros(1, 200, 200)
    )
    torch.manual_seed(0)
    _, weight = model.teacher_student_loss('unlabelled', logits, pseudo)
    kept = [float(weight[predicted == k].mean()) for k in range(NUM_CLASSES)]
    assert kept == pytest.approx([0.125, 1.0, 0.5, 0.25], abs=0.02)


def test_mean_teacher_is_the_squared_difference_on_all_images():
    model = build_model('mt')
    freeze_norm(model)
    inputs, samples = batch_for(model)
    loss = model.loss(inputs, samples)['loss_consistency']
    images = torch.cat((inputs['labelled'], inputs['unlabelled']))
    with torch.no_grad():
        student, teacher = (model.show(name, images).probs for name in ('student', 'teacher'))
    expected = 10.0 * ((student - teacher) ** 2).sum() / student.numel()
    torch.testing.assert_close(loss.detach(), expected)


def test_cutmix_is_scaled_by_the_share_of_sure_pixels():
    model = build_model('mt_cutmix', threshold=0.35)
    freeze_norm(model)
    inputs, samples = batch_for(model)
    torch.manual_seed(0)
    losses = model.loss(inputs, samples)
    torch.manual_seed(0)
    batch = model.prepare(inputs, samples)
    with torch.no_grad():
        student = model.show('student', batch.views['unlabelled'].images).probs
    teacher = batch.views['unlabelled'].targets['teacher']
    sure = (teacher.max(dim=1).values >= 0.35).float().mean()
    assert 0 < sure < 1
    difference = (student - teacher).square().sum(dim=1).mean()
    torch.testing.assert_close(losses['loss_consistency'].detach(), sure * difference)
    torch.testing.assert_close(losses['teacher.sure'], sure)


def test_cross_supervision_covers_labelled_and_unlabelled_images():
    model = build_model('cps')
    freeze_norm(model)
    inputs, samples = batch_for(model)
    losses = model.loss(inputs, samples)
    images = torch.cat((inputs['labelled'], inputs['unlabelled']))
    with torch.no_grad():
        logits = [model.show(name, images).logits for name in ('student', 'friend')]
    expected = sum(
        torch.nn.functional.cross_entropy(a, b.argmax(dim=1)) for a, b in (logits, logits[::-1])
    )
    torch.testing.assert_close(losses['loss_cps'].detach(), 1.5 * expected)


RAMPS = [  # (begin, end), progress, weight
    ((0.0, 0.1), 0.0, 0.0),
    ((0.0, 0.1), 0.05, 0.5),
    ((0.0, 0.1), 0.9, 1.0),
    ((0.1, 0.3), 0.1, 0.0),
    ((0.1, 0.3), 0.2, 0.5),
    ((0.0, 0.0), 0.0, 1.0),
]


@pytest.mark.parametrize(('shares', 'progress', 'expected'), RAMPS)
@pytest.mark.parametrize(
    ('method', 'option', 'name'),
    [
        ('cps', 'ramp', 'loss_cps'),
        ('tsf', 'cps_ramp', 'loss_cps'),
        ('tsf', 'ramp', 'loss_ts'),
        ('ael', 'ramp', 'loss_ts'),
        ('mt', 'ramp', 'loss_consistency'),
    ],
)
def test_a_ramp_is_linear_and_scales_one_loss(method, option, name, shares, progress, expected):
    model = build_model(method, **{option: shares})

    def losses_at(value):
        model.progress.fill_(value)
        if hasattr(model, 'confidence_bank'):
            model.confidence_bank.confidence.fill_(0.5)
        torch.manual_seed(0)
        inputs, samples = make_batch(model.required_branches)
        return {k: v.detach() for k, v in model.loss(inputs, samples).items() if 'loss' in k}

    assert float(model.ramp(shares)) == 1.0  # outside of a run the weight is full
    full, now = losses_at(1.0), losses_at(progress)
    assert float(now[name]) == pytest.approx(expected * float(full[name]), rel=1e-4)
    other = 'loss_ts' if name == 'loss_cps' else 'loss_cps'
    if method == 'tsf' and (progress >= 0.1 or option == 'cps_ramp'):
        torch.testing.assert_close(now[other], full[other])


@pytest.mark.parametrize('shares', [(0.3, 0.1), (-0.1, 0.5), (0.0, 1.5)])
def test_a_ramp_that_is_no_share_of_training_is_refused(shares):
    with pytest.raises(UserError, match='0 <= begin <= end <= 1'):
        build_model('tsf', cps_ramp=shares)


# GCT's detector is a network that sees the whole crop, padding included
PADDED = [name for name in METHODS if name not in (*SUPERVISED, 'gct')]


@pytest.mark.parametrize('method', PADDED)
def test_padding_teaches_nothing(method):
    """On a network whose pixels are independent, the content of the padding changes no loss."""
    options = dict(mt_cutmix=dict(threshold=0.0), self_training=dict(scales=(1.0,)))
    options = options.get(method, {})  # other scales blur the padding into the image
    model = build_model(method, tiny_segmentor(pointwise=True), **options)
    freeze_norm(model)
    results = []
    for filling in (0.0, 5.0):
        inputs, samples = batch_for(model)
        sizes = {name: (SIZE, 20) for name in ('unlabelled', 'strong', 'strong_2')}
        for branch, (height, width) in dict(sizes, partner=(24, SIZE)).items():
            if branch not in inputs:
                continue
            inputs[branch][:, :, height:] = filling
            inputs[branch][:, :, :, width:] = filling
            for sample in samples[branch]:
                sample.set_metainfo(dict(img_shape=(height, width)))
        if hasattr(model, 'confidence_bank'):
            model.confidence_bank.confidence.fill_(0.5)
        torch.manual_seed(0)
        losses = model.loss(inputs, samples)
        losses.pop('loss_contrast', None)  # of U2PL, whose head has 3x3 convolutions
        results.append({k: v.detach() for k, v in losses.items() if k.startswith('loss_')})
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], msg=f'{name} looks at the padding')


@pytest.mark.parametrize('method', ['ael', 'tsf'])
def test_a_single_sigmoid_channel_finds_components_of_both_classes(method):
    """Class 1 is where the logit is positive; its component's box is what gets pasted."""
    loss = dict(type='CrossEntropyLoss', use_sigmoid=True)
    head = dict(num_classes=2, out_channels=1, threshold=0.5, loss_decode=loss)
    model = build_model(method, tiny_segmentor(**head), adaptive_copy_paste=False)
    inputs, samples = make_batch(model.required_branches, num_classes=2)
    inputs['unlabelled'].fill_(0)
    inputs['partner'].fill_(1)
    for sample in samples['partner']:
        sample.set_metainfo(dict(cutmix_class=1))
    logits = torch.full((4, 1, 16, 16), -1.0)
    logits[:, :, 4:8, 2:12] = 1.0
    model.run = lambda name, images: (None, logits)
    pasted = model.prepare(inputs, samples).views['unlabelled'].images == 1
    expected = torch.zeros_like(pasted)
    expected[:, :, 8:16, 4:24] = True
    assert torch.equal(pasted, expected)


@pytest.mark.parametrize('method', [name for name in METHODS if name not in SUPERVISED])
def test_manual_pixels_count_in_a_loss_of_their_own(method):
    model = build_model(method, manual_weight=2.0)
    inputs, samples = batch_for(model)
    assert float(sum(v for k, v in model.loss(inputs, samples).items() if 'manual' in k)) == 0.0
    for branch in set(samples) - {'labelled', 'paste'}:
        for sample in samples[branch]:
            sample.gt_sem_seg.data[:, ::2] = 1
    batch = model.prepare(inputs, samples)
    outputs = {name: model.forward_network(name, batch) for name in model.learners}
    losses = model.manual_loss(outputs, batch)
    assert len(losses) == len(model.learners) * len(batch.views)
    for name, output in outputs.items():
        for key, view in batch.views.items():
            assert set(view.manual.unique().tolist()) == {1, 255}
            loss = losses[f'{name}.loss_manual' + ('' if len(batch.views) == 1 else f'_{key}')]
            chosen = output[key].logits.movedim(1, -1)[view.manual == 1]
            expected = torch.nn.functional.cross_entropy(chosen, torch.ones(len(chosen)).long())
            torch.testing.assert_close(loss, 2 * expected)
            own = gradients(model, loss)
            assert own.pop(name) > 0 and not any(own.values())


def test_manual_weight_needs_unlabelled_images():
    with pytest.raises(UserError, match='supervise_manual=True instead'):
        build_model('supervised', manual_weight=1.0)
