"""Kriging against scikit-learn's Gaussian process, and what it does at the edges."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from mmseg_tsf.models.refinement import kriging
from mmseg_tsf.models.refinement.distances import PixelIndex
from mmseg_tsf.models.refinement.kriging import Kriging
from mmseg_tsf.models.refinement.plar import PseudoLabelAutoRefinement
from mmseg_tsf.utils.errors import UserError

CLASSES, SIZE, CHANNELS = 4, (12, 16), (6, 9)
OPTIONS = Kriging(feature_range=0.6, cell_range=5.0, noise=0.3, min_similarity=0.3)


def scene(num: int = 2):
    """Maps, probabilities, truth, the mask of the questions, manual labels and weights."""
    generator = torch.Generator().manual_seed(0)
    maps = [10 + torch.randn(num, c, *SIZE, generator=generator) for c in CHANNELS]
    probs = torch.randn(num, CLASSES, *SIZE, generator=generator).softmax(dim=1)
    truth = torch.randint(CLASSES, (num, *SIZE), generator=generator)
    mask = torch.rand(num, *SIZE, generator=generator) < 0.4
    asked = (torch.rand(num, *SIZE, generator=generator) < 0.2) & ~mask
    weights = torch.rand(num, 2, generator=generator)
    return maps, probs, truth, mask, truth.masked_fill(~asked, 255), weights


def run(maps, probs, mask, manual, weights, options=OPTIONS, valid=None):
    valid = torch.ones_like(mask) if valid is None else valid
    return kriging.krige(maps, probs, manual, valid, PixelIndex.of(mask), weights, options)


def plain(maps, probs, mask, manual, weight, options):
    """Posterior ``(M, K)`` and greatest similarity ``(M,)`` of one image, in float64."""
    parts = []
    for features, own in zip(maps, (weight, 1 - weight), strict=True):
        vectors = features.double().flatten(1).t().numpy()
        pairs = ((vectors[:, None] - vectors) ** 2).sum(axis=2)
        parts.append(vectors * np.sqrt(own / pairs.mean()) / options.feature_range)
    cells = np.stack(np.meshgrid(*map(np.arange, SIZE), indexing='ij'), axis=-1)
    points = np.concatenate((*parts, cells.reshape(-1, 2) / options.cell_range), axis=1)
    labels, queries = manual.flatten().numpy(), mask.flatten().numpy()
    own = labels != 255
    shares = probs.double().flatten(1).t().numpy()
    process = GaussianProcessRegressor(RBF(1.0), alpha=options.noise, optimizer=None)
    process.fit(points[own], np.eye(CLASSES)[labels[own]] - shares[own])
    posterior = shares[queries] + process.predict(points[queries])
    return posterior, process.kernel_(points[queries], points[own]).max(axis=1)


@pytest.mark.parametrize('pairs', [2**24, 64])
def test_it_is_the_gaussian_process_of_the_errors(pairs, monkeypatch):
    monkeypatch.setattr(kriging, 'MAX_PAIRS', pairs)  # in one piece, and in many
    maps, probs, _, mask, manual, weights = scene()
    found = run(maps, probs, mask, manual, weights)
    start = 0
    for i in range(len(mask)):
        posterior, similar = plain(
            [m[i] for m in maps], probs[i], mask[i], manual[i], float(weights[i, 0]), OPTIONS
        )
        own = slice(start, start + len(similar))
        start += len(similar)
        np.testing.assert_array_equal(found.classes[own], posterior.argmax(axis=1))
        np.testing.assert_array_equal(found.decided[own], similar >= OPTIONS.min_similarity)
        top = np.sort(posterior, axis=1)
        margin = np.clip(top[:, -1] - top[:, -2], 0, 1)
        np.testing.assert_allclose(found.margin[own], margin, atol=1e-5)
        np.testing.assert_allclose(found.confidence[own], np.clip(top[:, -1], 0, 1), atol=1e-5)
        before = probs[i].flatten(1)[:, mask[i].flatten()].t().numpy()
        change = found.change[i].flatten(1)[:, mask[i].flatten()].t().numpy()
        np.testing.assert_allclose(before + change, posterior, atol=1e-5)
    assert 0.05 < found.decided.float().mean() < 0.95


def test_an_image_without_manual_pixels_keeps_its_probabilities():
    maps, probs, _, mask, manual, weights = scene()
    manual[0] = 255
    found = run(maps, probs, mask, manual, weights, Kriging(min_similarity=0.0))
    first = PixelIndex.of(mask).image == 0
    own = probs.movedim(1, -1)[mask]
    assert torch.equal(found.classes[first], own[first].argmax(dim=1))
    assert not found.decided[first].any() and found.decided[~first].all()


def test_manual_cells_are_known_where_nothing_else_is_asked():
    maps, probs, _, mask, manual, weights = scene(num=1)
    with_questions = run(maps, probs, mask, manual, weights).change
    alone = run(maps, probs, torch.zeros_like(mask), manual, weights).change
    known = (manual != 255).unsqueeze(1).expand_as(alone)
    torch.testing.assert_close(alone[known], with_questions[known])
    assert alone[known].abs().max() > 0.1 and not alone[~known].any()


def test_one_manual_pixel_speaks_for_what_is_alike_and_for_nothing_else():
    maps, probs, _, mask, manual, weights = scene(num=1)
    manual[:] = 255
    manual[0, 5, 5] = 3
    mask[0, 5, 6] = mask[0, 0, 0] = True
    for features in maps:
        features[0, :, 5, 6] = features[0, :, 5, 5]
        features[0, :, 0, 0] += 20
    probs[0, :, 5, 5] = probs[0, :, 5, 6] = torch.tensor([0.6, 0.2, 0.1, 0.1])
    found = run(maps, probs, mask, manual, weights)
    place = {tuple(where): i for i, where in enumerate(mask[0].nonzero().tolist())}
    same, far = place[5, 6], place[0, 0]
    assert found.classes[same] == 3 and found.decided[same]
    assert not found.decided[far] and found.classes[far] == probs[0, :, 0, 0].argmax()


def test_a_query_needs_no_changes():
    maps, probs, _, mask, manual, weights = scene()
    options = manual, torch.ones_like(mask), PixelIndex.of(mask), weights, OPTIONS
    with_changes = kriging.krige(maps, probs, *options)
    alone = kriging.krige(maps, probs, *options, with_changes=False)
    assert alone.change is None and with_changes.change is not None
    for name in ('classes', 'decided', 'margin', 'confidence'):
        torch.testing.assert_close(getattr(alone, name), getattr(with_changes, name))


def test_constant_features_leave_what_is_near():
    maps, probs, truth, mask, manual, weights = scene()
    maps = [torch.full_like(m, 7.0) for m in maps]
    found = run(maps, probs, mask, manual, weights, Kriging(cell_range=1.5))
    assert found.margin.isfinite().all() and found.decided.any()
    probs = torch.full_like(probs, 1 / CLASSES)
    truth[:, :, :8], truth[:, :, 8:] = 0, 1  # two halves
    manual = truth.masked_fill(manual == 255, 255)
    found = run(maps, probs, mask, manual, weights, Kriging(cell_range=1.5))
    assert (found.classes == truth[mask])[found.decided].float().mean() > 0.9


def test_more_manual_pixels_than_fit_are_thinned_evenly(monkeypatch):
    maps, probs, _, mask, manual, weights = scene(num=1)
    monkeypatch.setattr(kriging, 'MAX_SEEDS', 10)
    found = run(maps, probs, mask, manual, weights)
    kept = torch.full_like(manual, 255)
    asked = (manual != 255).flatten().nonzero().flatten()
    assert len(asked) > 20
    asked = asked[:: -(-len(asked) // 10)]
    kept.view(-1)[asked] = manual.view(-1)[asked]
    expected = run(maps, probs, mask, kept, weights)
    assert torch.equal(found.classes, expected.classes)
    torch.testing.assert_close(found.margin, expected.margin)


def test_bfloat16_features_under_autocast_give_the_same():
    maps, probs, _, mask, manual, _ = scene()
    refiner = PseudoLabelAutoRefinement(CLASSES, CHANNELS)
    maps = [m.bfloat16() for m in maps]
    expected = refiner([m.float() for m in maps], probs, mask, manual)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = refiner(maps, probs, mask, manual)
    assert torch.equal(found.labels, expected.labels)
    torch.testing.assert_close(found.margin, expected.margin)


@pytest.mark.parametrize(
    'options, sentence',
    [
        (dict(feature_range=0), 'kriging.feature_range must be above 0, not 0'),
        (dict(cell_range=-1.0), 'kriging.cell_range must be above 0'),
        (dict(noise=0.0), 'kriging.noise must be above 0'),
        (dict(min_similarity=1.0), r'kriging.min_similarity must be in \[0, 1\), not 1.0'),
    ],
)
def test_bad_options_are_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        Kriging(**options)


def test_a_system_that_has_no_factor_says_nothing():
    seeds, queries = torch.zeros(6, 3), torch.randn(4, 3)
    errors, nearness = kriging.carry(seeds, queries, torch.randn(6, 2), noise=-0.1)
    assert (errors == 0).all() and (nearness > 0).all()
