"""EMD and PLAR inside the methods with a teacher."""

import pytest
import torch
from helpers import REFINED, TAPS, batch_for, build_model, model_cfg, tiny_segmentor
from mmseg.registry import MODELS

from mmseg_tsf.models.utils.labels import Source, ground_truth, pseudo_labels
from mmseg_tsf.utils.errors import UserError

TEACHERS = ('mt', 'mt_cutmix', 'ael', 'ael_random', 'tsf')


def refined_model(method: str, **options):
    return build_model(method, **{**REFINED, **options})


def with_manual(samples, label: int = 2) -> None:
    """Gives the upper left quarter of each unlabelled image a manual label."""
    for branch in ('unlabelled', 'partner'):
        for sample in samples.get(branch, ()):
            sample.gt_sem_seg.data[..., :16, :16] = label


def test_shares_of_each_class_add_up():
    model = refined_model('mt')
    model.refinement.active = True
    inputs, samples = batch_for(model)
    with_manual(samples)
    losses = model.loss(inputs, samples)
    counts = model.refinement.class_counts.clone()
    whole = counts[:, :-1].sum(dim=1).float()
    shares = model.refinement.take_class_shares()
    assert list(shares) == ['flagged', 'corrected', 'changed', 'unresolved']
    for row, (name, own) in enumerate(shares.items(), start=1):
        assert whole[row] / whole[0] == pytest.approx(float(losses[f'refinement.{name}']))
        torch.testing.assert_close(own, 100 * counts[row, :-1] / counts[0, :-1], equal_nan=True)
    assert not model.refinement.class_counts.any()


def test_refinement_without_heads_and_without_manual_labels_is_plain_tsf():
    plain = build_model('tsf')
    refined = refined_model('tsf', error_head=None, refiner=dict(type='PseudoLabelAutoRefinement'))
    refined.load_state_dict(plain.state_dict())
    refined.refinement.active = True
    both = []
    for model in (plain, refined):
        torch.manual_seed(0)
        both.append(model.loss(*batch_for(model)))
    flagged = both[1]['refinement.flagged']
    assert flagged > 0 and both[1]['refinement.unresolved'] == flagged
    for name, value in both[0].items():
        assert torch.equal(value, both[1][name]), name


@pytest.mark.parametrize('method', ['mt_cutmix', 'ael', 'tsf'])
@pytest.mark.parametrize(
    'part',
    ['nothing', 'error_head', 'learnt weights'],
    ids=lambda part: part,
)
def test_the_teacher_sees_labelled_images_where_something_learns_from_them(method, part):
    refiner = dict(REFINED['refiner'], weights='equal')
    if part == 'learnt weights':
        refiner['weights'] = 'learnt'
    head = REFINED['error_head'] if part == 'error_head' else None
    model = refined_model(method, error_head=head, refiner=refiner, refinement=dict(taps=TAPS))
    model.refinement.active = True
    seen, run = [], model.run
    model.run = lambda name, images: (
        name == 'teacher' and seen.append(len(images)),
        run(name, images),
    )[1]
    inputs, samples = batch_for(model)
    with_manual(samples)
    losses = model.loss(inputs, samples)
    unlabelled = len(inputs['unlabelled']) + len(inputs.get('partner', ()))
    assert seen == [unlabelled + (0 if part == 'nothing' else len(inputs['labelled']))]
    assert ('loss_emd' in losses) == (part == 'error_head')
    assert ('loss_weight_module' in losses) == (part == 'learnt weights')
    assert losses['refinement.flagged'] > 0


@pytest.mark.parametrize('method', TEACHERS)
class TestEveryTeacher:
    """What holds for each method."""

    def test_the_heads_learn_and_move_nothing_else(self, method):
        model = refined_model(method)
        losses = model.loss(*batch_for(model))
        (losses['loss_emd'] + losses['loss_weight_module']).backward()
        for name, parameter in model.named_parameters():
            assert (parameter.grad is not None) == name.startswith('refinement.'), name

    @pytest.mark.parametrize('active', [False, True])
    def test_every_parameter_gets_a_gradient_in_every_step(self, method, active):
        model = refined_model(method)
        model.refinement.active = active
        losses = model.loss(*batch_for(model))
        sum(v.sum() for k, v in losses.items() if 'loss' in k).backward()
        learned = [p for p in model.parameters() if p.requires_grad]
        assert all(p.grad is not None for p in learned)
        assert ('refinement.flagged' in losses) == active

    def test_nothing_changes_until_it_is_turned_on(self, method):
        plain, model = build_model(method), refined_model(method)
        model.load_state_dict(plain.state_dict(), strict=False)
        for each in (plain, model):
            each.eval()  # no batch statistics: labelled images are in the teacher's pass now
        batches = []
        for each in (plain, model):
            inputs, samples = batch_for(each)
            torch.manual_seed(3)
            batches.append(each.prepare(inputs, samples))
        first, second = (batch.views['unlabelled'].pseudo['teacher'] for batch in batches)
        assert torch.equal(first.labels, second.labels)
        torch.testing.assert_close(first.confidence, second.confidence)

    def test_manual_pixels_win_with_and_without_refinement(self, method):
        for options in ({}, REFINED):
            model = build_model(method, **options)
            if options:
                model.refinement.active = True
            inputs, samples = batch_for(model)
            with_manual(samples)
            pseudo = model.prepare(inputs, samples).views['unlabelled'].pseudo['teacher']
            assert (pseudo.labels[:, :16, :16] == 2).all()
            assert (pseudo.confidence[:, :16, :16] == 1).all()
            assert (pseudo.labels != 2).any()

    def test_one_teacher_pass_serves_labels_and_error_target(self, method):
        model, calls = refined_model(method), []
        model.teacher.backbone.register_forward_pre_hook(lambda m, x: calls.append(len(x[0])))
        model.loss(*batch_for(model))
        partners = 2 if 'partner' in model.required_branches else 0
        assert calls == [4 + partners]


def test_manual_pixels_are_the_soft_target_of_mean_teacher():
    model = build_model('mt')
    inputs, samples = batch_for(model)
    with_manual(samples)
    target = model.prepare(inputs, samples).views['unlabelled'].targets['teacher']
    assert (target[:, 2, :16, :16] == 1).all()
    assert (target[:, 2, 16:] < 1).all()


@pytest.mark.parametrize('unresolved', ['keep', 'ignore'])
def test_flagged_pixels_without_a_refiner_keep_or_lose_their_label(unresolved):
    refinement = dict(taps=TAPS, min_confidence=0.4, unresolved=unresolved)
    model = refined_model('ael_random', error_head=None, refiner=None, refinement=refinement)
    model.refinement.active = True
    inputs, samples = batch_for(model)
    view = model.view('teacher', inputs['unlabelled'])
    valid = torch.ones(2, 32, 32, dtype=torch.bool)
    manual = ground_truth(samples['unlabelled'])
    pseudo, stats = model.label('teacher', view, manual, valid)
    doubted = view.probs.amax(dim=1) < 0.4
    assert 0 < float(doubted.float().mean()) < 1
    assert torch.equal(pseudo.labels == 255, doubted & (unresolved == 'ignore'))
    assert float(stats['refinement.flagged']) == pytest.approx(float(doubted.float().mean()))
    assert stats['refinement.unresolved'] == stats['refinement.flagged']
    assert stats['refinement.corrected'] == 0


@pytest.mark.parametrize('rule', ['vote', 'kriging'])
def test_corrections_stay_inside_the_mask_and_count_as_far_as_they_are_sure(rule):
    options = dict(refiner=dict(REFINED['refiner'], rule=rule), error_head=None)
    model = refined_model('ael_random', **options, refinement=dict(taps=TAPS, min_confidence=0.33))
    model.refinement.active = True
    inputs, samples = batch_for(model)
    with_manual(samples, label=0)
    for sample in samples['unlabelled']:
        sample.gt_sem_seg.data[..., 24:, 24:] = 3  # two classes with pixels of their own
    view = model.view('teacher', inputs['unlabelled'])
    valid = torch.ones(2, 32, 32, dtype=torch.bool)
    manual = ground_truth(samples['unlabelled'])
    pseudo, stats = model.label('teacher', view, manual, valid)
    asked = torch.zeros_like(valid)
    asked[:, :16, :16] = asked[:, 24:, 24:] = True
    changed = (pseudo.labels != view.probs.argmax(dim=1)) & ~asked
    flagged = model.refinement.flag(view, view.probs.amax(dim=1))
    assert changed.any()
    assert not (changed & ~flagged).any()
    least = torch.full_like(pseudo.confidence, 0.33)
    if rule == 'kriging':
        mask = flagged & (manual == 255)
        found = model.refinement.refiner(view.features, view.probs, mask, manual, valid)
        assert found.change.shape[2] < 32
        change = torch.nn.functional.interpolate(found.change, (32, 32), mode='bilinear')
        least, labels = (view.probs + change).clamp(0, 1).max(dim=1)
        assert torch.equal(pseudo.labels[flagged & ~asked], labels[flagged & ~asked])
        assert 0.2 < least[changed].min() < least[changed].max() <= 1
    assert torch.allclose(pseudo.confidence[changed], least[changed])
    assert float(stats['refinement.changed']) == pytest.approx(float(changed.float().mean()))


def test_flagged_pixels_beside_a_manual_one_take_its_label():
    refiner = dict(REFINED['refiner'])
    refinement = dict(taps=TAPS, min_confidence=0.999)
    model = refined_model('mt', refiner=refiner, refinement=refinement)
    view = model.view('teacher', batch_for(model)[0]['unlabelled'])
    stride = 32 // view.features[-1].shape[2]
    assert stride > 1
    valid = torch.ones(2, 32, 32, dtype=torch.bool)
    valid[0, :, 30:] = False
    manual = torch.full((2, 32, 32), 255)
    manual[1, 1, 0] = 3
    refined = model.refinement.refine(view, manual, valid)
    own = (slice(1, 2), slice(stride), slice(stride))
    assert (refined.pseudo.labels[own] == 3).all()
    assert refined.corrected[own].sum() == stride**2 - 1
    assert not refined.unresolved[own].any()
    assert not refined.corrected[0].any()
    expected = torch.where(refined.corrected, Source.CORRECTED, Source.NETWORK)
    expected[1, 1, 0] = Source.MANUAL
    assert torch.equal(refined.pseudo.source, expected.to(torch.uint8))
    assert (refined.pseudo.labels[~valid] == 255).all()
    assert torch.equal(refined.before.labels, pseudo_labels(view.logits, valid).labels)


def test_void_labels_of_the_labelled_images_do_not_count():
    model = refined_model('mt')
    inputs, samples = batch_for(model)
    for sample in samples['labelled']:
        sample.gt_sem_seg.data[:] = 255
    assert float(model.loss(inputs, samples)['loss_emd'].detach()) == 0.0


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        (dict(refinement=dict(taps=('decode_head.convs', 'decode_head.nothing'))), 'names no mod'),
        (dict(refinement=dict(taps=TAPS[:1])), 'must name two modules, F1 and F2'),
        (dict(refinement=dict(taps=TAPS, min_confidence=1.0)), r'must lie in \(0, 1\)'),
        (dict(refinement=dict(taps=TAPS, unresolved='drop')), "is 'keep' or 'ignore'"),
        (
            dict(error_head=dict(type='ErrorMaskDecoder', in_channels=(8, 9, 4))),
            r'error_head.in_channels=\[8, 9, 4\], but the taps and classes have \[8, 12, 4\]',
        ),
        (
            dict(error_head=dict(type='ErrorMaskDecoder', in_channels=531)),
            '=531 must list the chan',
        ),
        (dict(error_head=dict(type='ErrorMaskDecoder', kernel_sizes=(2, 2))), 'must be odd'),
        (dict(refiner=dict(type='PseudoLabelAutoRefinement', channels=12)), '=12 must list'),
        (dict(refiner=dict(type='PseudoLabelAutoRefinement', min_pixels=1)), 'min_pixels'),
        (
            dict(refiner=dict(type='PseudoLabelAutoRefinement', min_pixels=2.5)),
            'and whole, not 2.5',
        ),
        (
            dict(error_head=None, refinement=dict(taps=TAPS, min_confidence=None)),
            'neither min_confidence nor error_head',
        ),
    ],
)
def test_bad_options_are_refused_at_build(options, sentence):
    with pytest.raises(UserError, match=sentence):
        refined_model('tsf', **options)


def test_taps_must_run_when_the_network_labels():
    segmentor = tiny_segmentor()
    segmentor['auxiliary_head'] = dict(segmentor['decode_head'], in_index=0, in_channels=8)
    taps = (TAPS[0], 'auxiliary_head.convs')
    with pytest.raises(UserError, match="'auxiliary_head.convs' does not run when the network"):
        refined_model('tsf', segmentor=segmentor, refinement=dict(taps=taps))


def test_a_tap_that_gives_no_map_is_named():
    refiner, head = (dict(REFINED[key]) for key in ('refiner', 'error_head'))
    refiner['channels'], head['in_channels'] = (8, 12), (8, 12, 4)
    options = dict(refiner=refiner, error_head=head, refinement=dict(taps=(TAPS[0], 'backbone')))
    model = refined_model('mt', **options)
    with pytest.raises(UserError, match=r"feature tap 'backbone' gives no \(N, C, h, w\) map"):
        model.loss(*batch_for(model))


def test_the_heads_are_initialised_as_mmseg_does():
    head = dict(REFINED['error_head'], init_cfg=dict(type='Constant', val=0.5, layer='Conv2d'))
    for cfg, check in (
        (head, lambda weight: (weight == 0.5).all()),
        (REFINED['error_head'], lambda weight: 0 < weight.std() < 0.03),
    ):
        model = MODELS.build(dict(model_cfg('mt'), **{**REFINED, 'error_head': cfg}))
        model.init_weights()
        assert model.refinement.error_head.is_init
        assert check(model.refinement.error_head.conv_seg.weight)


@pytest.mark.parametrize('option', ['error_head', 'refiner', 'refinement'])
def test_a_method_without_labels_has_nothing_to_refine(option):
    with pytest.raises(UserError, match='SupervisedOnly has no network whose labels'):
        build_model('supervised', **{option: REFINED[option]})


@pytest.mark.parametrize('method', ['tsf', 'cps_cutmix'])
def test_every_parameter_gets_a_gradient_under_autocast(method):
    """What ``prepare`` casts without a graph must not be used again."""
    model = refined_model(method) if method == 'tsf' else build_model(method)
    if method == 'tsf':
        model.refinement.active = True
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.loss(*batch_for(model))
    sum(v.sum() for k, v in losses.items() if 'loss' in k).backward()
    learned = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in learned)


def test_casts_are_forgotten_between_labelling_and_learning(monkeypatch):
    model, order = build_model('mt'), []
    for owner, name in ((model, 'prepare'), (torch, 'clear_autocast_cache'), (model, 'decode')):
        original = getattr(owner, name)
        record = lambda *args, _name=name, _own=original: order.append(_name) or _own(*args)  # noqa: E731
        monkeypatch.setattr(owner, name, record)
    model.loss(*batch_for(model))
    assert order == ['prepare', 'decode', 'clear_autocast_cache', 'decode']
