"""Means, shrunk covariances and distances against scikit-learn and scipy in float64."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from mmseg_tsf.models.refinement import class_statistics
from mmseg_tsf.models.refinement.distances import (
    euclidean_distances,
    hybrid_distances,
    mahalanobis_distances,
)
from mmseg_tsf.utils.errors import UserError

ESTIMATORS = dict(ledoit_wolf=LedoitWolf)
CLASSES = 5


def make_case(kind: str, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features ``(C, H, W)`` around class means, reference labels and a mask of queries."""
    generator = torch.Generator().manual_seed(seed)
    channels = dict(few_pixels=96).get(kind, 24)
    height, width = 24, 32
    labels = torch.randint(CLASSES, (height, width), generator=generator)
    means = torch.randn(CLASSES, channels, generator=generator)
    noise = torch.randn(channels, height, width, generator=generator)
    if kind == 'correlated':  # a spectrum that falls by a thousand, as in trained networks
        mixing = torch.randn(channels, channels, generator=generator)
        noise = torch.einsum('ij,jhw->ihw', mixing * torch.logspace(0, -3, channels), noise)
    features = means[labels].permute(2, 0, 1) + noise
    if kind == 'relu':
        features = 100 + features.relu()  # far from 0, half of the values alike
    mask = torch.rand(height, width, generator=generator) < 0.3
    reference = labels.masked_fill(mask, 255)
    if kind == 'few_pixels':  # 9 of class 1, one of class 2, none of class 3
        for k, number in ((1, 9), (2, 1), (3, 0)):
            own = (reference == k).flatten().nonzero().flatten()
            reference.view(-1)[own[number:]] = 255
    return features, reference, mask


def plain_distances(features, labels, mask, shrinkage: str, min_pixels: int):
    """``(M, K)`` Euclidean and Mahalanobis distances and the log-determinants, in float64."""
    vectors = features.double().flatten(1).t().numpy()
    labels, mask = labels.flatten().numpy(), mask.flatten().numpy()
    channels = vectors.shape[1]
    first = np.full((mask.sum(), CLASSES), np.inf)
    second = first.copy()
    for k in range(CLASSES):
        own = vectors[labels == k]
        if len(own) < min_pixels:
            continue
        fit = ESTIMATORS[shrinkage]().fit(own)
        mean = own.mean(axis=0, keepdims=True)
        inverse = np.linalg.inv(fit.covariance_)
        first[:, k] = cdist(vectors[mask], mean)[:, 0]
        second[:, k] = cdist(vectors[mask], mean, 'mahalanobis', VI=inverse)[:, 0]
    return first / np.sqrt(channels), second / np.sqrt(channels)


def votes(first, second) -> np.ndarray:
    """Class where both agree, else -1."""
    first, second = np.asarray(first).argmin(axis=1), np.asarray(second).argmin(axis=1)
    return np.where(first == second, first, -1)


@pytest.mark.parametrize('shrinkage', list(ESTIMATORS))
@pytest.mark.parametrize('kind', ['random', 'correlated', 'relu', 'few_pixels'])
def test_distances_equal_the_reference(kind, shrinkage):
    features, labels, mask = make_case(kind)
    statistics = class_statistics(features[None], labels[None], CLASSES, shrinkage=shrinkage)
    found = [
        measure(features[None], statistics, mask[None])
        for measure in (euclidean_distances, mahalanobis_distances)
    ]
    first, second = plain_distances(features, labels, mask, shrinkage, min_pixels=8)
    np.testing.assert_allclose(found[0], first, rtol=1e-5)
    np.testing.assert_allclose(found[1], second, rtol=2e-4)
    assert (votes(*found) == votes(first, second)).mean() >= 0.999
    counts = torch.bincount(labels[labels < CLASSES], minlength=CLASSES)
    assert torch.equal(statistics.count[0], counts.float())
    assert torch.equal(statistics.valid[0], counts >= 8)


def test_a_given_shrinkage_is_that_share_of_a_scaled_identity():
    features, labels, _ = make_case('random')
    statistics = class_statistics(features[None], labels[None], CLASSES, shrinkage=0.25)
    own = features.double()[:, labels == 2].numpy()
    covariance = np.cov(own, bias=True)
    expected = 0.75 * covariance + 0.25 * np.trace(covariance) / len(own) * np.eye(len(own))
    factor = statistics.factor[0, 2].double().numpy()
    np.testing.assert_allclose(factor @ factor.T, expected, rtol=1e-4, atol=1e-5)
    assert not np.triu(factor, 1).any()


def test_classes_with_few_pixels_are_no_candidates():
    features, labels, mask = (t[None] for t in make_case('few_pixels'))
    statistics = class_statistics(features, labels, CLASSES, min_pixels=9)
    assert statistics.valid[0].tolist() == [True, True, False, False, True]
    assert statistics.candidates == [[0, 1, 4]]
    assert not statistics.mean[0, [2, 3]].any()
    assert torch.equal(statistics.factor[0, 2], torch.eye(96))
    for measure in (euclidean_distances, mahalanobis_distances):
        distances = measure(features, statistics, mask)
        assert torch.equal(distances.isinf(), ~statistics.valid.expand_as(distances))
    assert not class_statistics(features, labels, CLASSES, min_pixels=10).valid[0, 1]


@pytest.mark.parametrize('shrinkage', ['ledoit_wolf', 1e-6])
def test_classes_that_hardly_vary_stay_finite(shrinkage):
    """Constant, of two pixels, of two values (which Ledoit-Wolf does not shrink), dead channels."""
    features = torch.randn(1, 64, 30, 40, generator=torch.Generator().manual_seed(0)).relu() + 10
    labels = torch.full((1, 30, 40), 255)
    rows = features.view(64, 1200)
    for k, (start, stop) in enumerate([(0, 2), (2, 100), (100, 300), (300, 420), (500, 1200)]):
        labels.view(-1)[start:stop] = k
    rows[:, 2:100] = rows[:, 2:3]
    rows[:, 100:200], rows[:, 200:300] = rows[:, 100:101], rows[:, 200:201]
    rows[:40, 500:] = 0
    statistics = class_statistics(features, labels, CLASSES, 2, shrinkage)
    assert statistics.valid.all()
    assert statistics.factor.isfinite().all()
    everywhere = torch.ones_like(labels, dtype=torch.bool)
    distances = mahalanobis_distances(features, statistics, everywhere)
    assert distances.isfinite().all()
    own = labels.flatten() < CLASSES
    target = labels.flatten()[own]
    assert (distances[own].argmin(dim=1) == target).float().mean() > 0.95


def test_one_constant_image_is_finite():
    features, labels = torch.full((1, 8, 6, 6), 3.0), torch.arange(36).view(1, 6, 6) % 2
    statistics = class_statistics(features, labels, 2)
    assert mahalanobis_distances(features, statistics, labels == 0).isfinite().all()


def test_a_batch_equals_its_images_one_by_one():
    cases = [make_case(kind, seed) for seed, kind in enumerate(('random', 'relu', 'correlated'))]
    features, labels, mask = (torch.stack(parts) for parts in zip(*cases, strict=True))
    labels[1] = 255  # an image without a class
    mask[2] = False  # and one without a question
    batch = class_statistics(features, labels, CLASSES)
    one_by_one = [
        class_statistics(f[None], y[None], CLASSES) for f, y in zip(features, labels, strict=True)
    ]
    for name in ('mean', 'factor', 'count', 'valid'):
        expected = torch.cat([getattr(own, name) for own in one_by_one])
        torch.testing.assert_close(getattr(batch, name), expected, rtol=0, atol=0)
    for measure in (euclidean_distances, mahalanobis_distances):
        parts = [
            measure(features[i : i + 1], own, mask[i : i + 1]) for i, own in enumerate(one_by_one)
        ]
        assert torch.equal(measure(features, batch, mask), torch.cat(parts))


def test_float32_whatever_autocast_says():
    features, labels, mask = (t[None] for t in make_case('correlated'))
    expected = mahalanobis_distances(features, class_statistics(features, labels, CLASSES), mask)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        statistics = class_statistics(features, labels, CLASSES)
        found = mahalanobis_distances(features, statistics, mask)
    assert torch.equal(found, expected)
    half = class_statistics(features.half(), labels, CLASSES)
    assert half.factor.dtype == half.mean.dtype == torch.float32


def test_hybrid_distances_mix_and_keep_what_is_no_candidate():
    inf = float('inf')
    first, second = torch.tensor([[1.0, 4.0, inf]]), torch.tensor([[3.0, 2.0, inf]])
    weight = torch.tensor([[0.25]], requires_grad=True)
    mixed = hybrid_distances(first, second, weight)
    assert mixed.tolist() == [[2.5, 2.5, inf]]
    mixed[:, :2].sum().backward()
    assert weight.grad.item() == pytest.approx(-2 + 2)
    assert hybrid_distances(first, second, torch.tensor(1.0)).tolist() == [[1.0, 4.0, inf]]


@pytest.mark.parametrize(
    'options, sentence',
    [
        (dict(min_pixels=1), 'min_pixels must be at least 2'),
        (dict(shrinkage='lw'), 'shrinkage must be ledoit_wolf or a number'),
        (dict(shrinkage=0.0), r'a number in \(0, 1\]'),
        (dict(shrinkage=1.5), r'a number in \(0, 1\]'),
    ],
)
def test_bad_options_are_refused(options, sentence):
    features, labels, _ = make_case('random')
    with pytest.raises(UserError, match=sentence):
        class_statistics(features[None], labels[None], CLASSES, **options)
