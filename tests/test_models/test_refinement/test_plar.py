"""PLAR as a whole: both rules, manual pixels, padding and wrong options."""

import pytest
import torch
from mmseg.registry import MODELS

from mmseg_tsf.models.refinement import class_statistics
from mmseg_tsf.models.refinement.distances import (
    euclidean_distances,
    hybrid_distances,
    mahalanobis_distances,
)
from mmseg_tsf.models.refinement.plar import PAPER, PseudoLabelAutoRefinement
from mmseg_tsf.utils.errors import UserError

CLASSES, SIZE = 4, (20, 24)


def scene(num: int = 2, noise: float = 0.3, seed: int = 0):
    """Two maps that show the true classes, and a network that errs inside a mask."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(CLASSES, (num, *SIZE), generator=generator)
    maps = []
    for channels in (8, 12):
        means = torch.randn(CLASSES, channels, generator=generator)
        spread = noise * torch.randn(num, channels, *SIZE, generator=generator)
        maps.append(means[truth].permute(0, 3, 1, 2) + spread)
    mask = torch.rand(num, *SIZE, generator=generator) < 0.25
    labels = torch.where(mask, (truth + 1) % CLASSES, truth)
    probs = (4 * torch.eye(CLASSES)[labels]).softmax(dim=-1).permute(0, 3, 1, 2)
    return maps, probs, mask, truth


def build(**options) -> PseudoLabelAutoRefinement:
    cfg = dict(type='PseudoLabelAutoRefinement', num_classes=CLASSES, channels=(8, 12))
    return MODELS.build({**cfg, **options})


def some_manual(truth, share: float, seed: int = 0):
    """The truth at a random share of the pixels, 255 elsewhere."""
    chosen = torch.rand(truth.shape, generator=torch.Generator().manual_seed(seed)) < share
    return truth.masked_fill(~chosen, 255)


def test_the_paper_preset_is_complete():
    refiner = build(**PAPER)
    assert refiner.rule == 'vote' and refiner.reference == 'reliable+manual'
    assert refiner.statistics_options == dict(min_pixels=8, shrinkage='ledoit_wolf')


@pytest.mark.parametrize('rule', ['kriging', 'vote'])
def test_what_nobody_has_labelled_stays_as_it_is(rule):
    maps, probs, mask, _ = scene()
    found = build(rule=rule)(maps, probs, mask)
    assert found.undecidable.all()
    assert torch.equal(found.labels, probs.argmax(dim=1))
    assert torch.equal(found.unresolved, mask)
    assert not (found.corrected | found.changed).any()


@pytest.mark.parametrize('rule', ['kriging', 'vote'])
def test_a_few_manual_pixels_correct_an_image(rule):
    maps, probs, mask, truth = scene(noise=0.1)
    manual = some_manual(truth, 0.2).masked_fill(~mask, 255)
    left = mask & (manual == 255)
    assert (probs.argmax(dim=1) != truth)[left].all()
    found = build(rule=rule)(maps, probs, mask, manual)
    assert (found.labels == truth)[left].float().mean() > 0.9


def test_the_vote_equals_its_plain_form():
    maps, probs, mask, _ = scene(noise=2.0)  # noisy enough for the voters to disagree
    refiner = build(**PAPER)
    with torch.no_grad():
        refiner.weight_module.layers[-1].bias.copy_(torch.tensor([1.0, -0.5]))
    found = refiner(maps, probs, mask)
    pseudo = probs.argmax(dim=1)
    statistics = [class_statistics(m, pseudo.masked_fill(mask, 255), CLASSES) for m in maps]
    hybrids = []
    for measure, logit in ((euclidean_distances, 1.0), (mahalanobis_distances, -0.5)):
        weight = torch.tensor(logit).sigmoid()
        pair = [measure(m, s, mask) for m, s in zip(maps, statistics, strict=True)]
        hybrids.append(hybrid_distances(*pair, weight))
    first, second = (hybrid.argmin(dim=1) for hybrid in hybrids)
    assert torch.equal(found.corrected[mask], first == second)
    assert torch.equal(found.labels[mask], torch.where(first == second, first, pseudo[mask]))
    assert torch.equal(found.labels[~mask], pseudo[~mask])
    assert torch.equal(found.unresolved, mask & ~found.corrected)
    assert torch.equal(found.changed, found.labels != pseudo)
    assert torch.equal(found.flagged, mask)
    assert 0.05 < found.unresolved[mask].float().mean() < 0.95
    best = (hybrids[0] * hybrids[1]).sqrt().sort(dim=1).values
    torch.testing.assert_close(found.margin[mask], 1 - best[:, 0] / best[:, 1])
    assert not found.margin[~mask].any()


@pytest.mark.parametrize('rule', ['kriging', 'vote'])
def test_weights_count_the_maps_alike_until_they_are_learnt(rule):
    maps, probs, mask, truth = scene(noise=2.0)
    manual = some_manual(truth, 0.2).masked_fill(~mask, 255)
    equal, learnt = (build(rule=rule, weights=weights) for weights in ('equal', 'learnt'))
    assert not list(equal.parameters())
    before, found = learnt(maps, probs, mask, manual), equal(maps, probs, mask, manual)
    assert torch.equal(found.labels, before.labels) and torch.equal(found.margin, before.margin)
    torch.nn.init.constant_(learnt.weight_module.layers[-1].bias, 2.0)
    assert not torch.equal(learnt(maps, probs, mask, manual).margin, found.margin)


def test_the_vote_corrects_what_the_features_show():
    maps, probs, mask, truth = scene()
    refiner = build(rule='vote', reference='reliable+manual')
    found = refiner(maps, probs, mask)
    assert (found.labels == truth)[mask].float().mean() > 0.97
    assert not found.undecidable.any()
    assert not found.labels.requires_grad


def test_a_batch_equals_its_images_one_by_one():
    maps, probs, mask, truth = scene(num=3, noise=1.0)
    manual = some_manual(truth, 0.05)
    manual[1] = 255  # nobody has labelled the second image
    for rule in ('kriging', 'vote'):
        refiner = build(rule=rule)
        batch = refiner(maps, probs, mask, manual)
        assert batch.undecidable.tolist() == [False, True, False]
        for i in range(3):
            own = slice(i, i + 1)
            one = refiner([m[own] for m in maps], probs[own], mask[own], manual[own])
            assert (one.confidence is None) == (rule == 'vote')
            for name, value in vars(one).items():
                if value is None:
                    continue
                torch.testing.assert_close(getattr(batch, name)[i : i + 1], value, msg=name)


def test_manual_pixels_win_and_are_never_flagged():
    maps, probs, mask, truth = scene(noise=1.0)
    manual = torch.full_like(truth, 255)
    manual[:, ::3, ::3] = (truth[:, ::3, ::3] + 2) % CLASSES  # wrong, and believed all the same
    asked = manual != 255
    found = build()(maps, probs, mask, manual)
    assert torch.equal(found.labels[asked], manual[asked])
    assert torch.equal(found.flagged, mask & ~asked)
    assert torch.equal(found.manual, asked) and (found.confidence[asked] == 1).all()
    assert not (found.corrected | found.unresolved | found.changed)[asked].any()


def test_manual_pixels_alone_can_be_the_reference():
    maps, probs, mask, truth = scene()
    manual = truth.masked_fill(~mask | (torch.rand(mask.shape) < 0.4), 255)
    wrong = ((truth + 1) % CLASSES)[..., None] == torch.arange(CLASSES)
    probs = wrong.float().permute(0, 3, 1, 2)  # the network is wrong outside the mask, too
    left = mask & (manual == 255)
    accuracy = {}
    for reference in ('manual', 'reliable+manual'):
        refiner = build(rule='vote', reference=reference, min_pixels=8)
        found = refiner(maps, probs, mask, manual)
        accuracy[reference] = (found.labels == truth)[left].float().mean().item()
    assert accuracy['manual'] > 0.95
    assert accuracy['reliable+manual'] < 0.5


def test_a_map_on_a_coarser_grid_probs_and_masks_of_image_size():
    maps, probs, mask, truth = scene()
    coarse = torch.nn.functional.avg_pool2d(maps[0], 2)
    large = [t.repeat_interleave(4, 1).repeat_interleave(4, 2) for t in (mask, truth)]
    image_probs = torch.nn.functional.interpolate(probs, scale_factor=4)
    manual = torch.full_like(large[1], 255)
    manual[0, 41, 50] = 3
    found = build()([coarse, maps[1]], image_probs, large[0], manual)
    assert found.labels.shape == mask.shape
    assert found.labels[0, 10, 12] == 3
    expected = mask.clone()
    expected[0, 10, 12] = False
    assert torch.equal(found.flagged, expected)


def test_absent_classes_are_no_candidates():
    maps, probs, mask, truth = scene()
    mask |= truth == 2  # no reliable pixel of class 2 is left
    probs = torch.eye(CLASSES)[truth].permute(0, 3, 1, 2)
    found = build(rule='vote', reference='reliable+manual')(maps, probs, mask)
    assert not (found.labels[found.corrected] == 2).any()
    assert found.corrected[truth == 2].any()


def test_an_image_of_one_candidate_is_left_as_it_is():
    maps, probs, mask, truth = scene()
    mask[1] |= truth[1] != 0
    pseudo = probs.argmax(dim=1)
    found = build(rule='vote', reference='reliable+manual')(maps, probs, mask)
    assert found.undecidable.tolist() == [False, True]
    assert torch.equal(found.labels[1], pseudo[1])
    assert torch.equal(found.unresolved[1], mask[1])
    top = probs[1].topk(2, dim=0).values
    torch.testing.assert_close(found.margin[1], (top[0] - top[1]) * mask[1])
    refiner = build(**PAPER)
    everything = refiner(maps, probs, torch.ones_like(mask))
    assert everything.undecidable.all() and everything.margin.isfinite().all()
    nothing = refiner(maps, probs, torch.zeros_like(mask))
    assert torch.equal(nothing.labels, pseudo) and not nothing.margin.any()


@pytest.mark.parametrize('rule', ['kriging', 'vote'])
def test_padding_is_neither_flagged_nor_a_reference(rule):
    maps, probs, mask, truth = scene(num=1, noise=1.0)
    manual = some_manual(truth, 0.3).masked_fill(~mask, 255)
    valid = torch.ones_like(mask)
    valid[:, :, 16:] = False
    refiner = build(rule=rule, weights='learnt', reference='reliable+manual')
    torch.nn.init.normal_(refiner.weight_module.layers[-1].weight)
    found = refiner(maps, probs, mask, manual, valid)
    cropped = [m[..., :16] for m in maps]
    expected = refiner(cropped, probs[..., :16], mask[..., :16], manual[..., :16])
    assert expected.changed.any()
    assert (found.labels[..., 16:] == 255).all()
    assert not (found.flagged | found.unresolved | found.changed)[..., 16:].any()
    assert torch.equal(found.labels[..., :16], expected.labels)
    torch.testing.assert_close(found.margin[..., :16], expected.margin)


@pytest.mark.parametrize(
    'options, sentence',
    [
        (dict(channels=(8,)), 'PLAR reads two feature maps, .* has 1'),
        (dict(rule='mean'), "rule must be one of kriging, vote, not 'mean'"),
        (dict(weights='half'), "weights must be one of equal, learnt, not 'half'"),
        (dict(reference='all'), "reference must be one of manual.*, not 'all'"),
        (dict(shrinkage=2), r'shrinkage must be .* in \(0, 1\], not 2'),
        (dict(min_pixels=1), 'min_pixels must be at least 2'),
        (dict(kriging=dict(noise=0)), 'kriging.noise must be above 0, not 0'),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, sentence):
    with pytest.raises(UserError, match=sentence):
        build(**options)
