"""Perturbed feature maps against their definitions in plain loops."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from mmseg_tsf.models.mixing import (
    add_noise,
    adversarial_noise,
    drop_active,
    drop_channels,
    erase_objects,
)


@pytest.fixture
def features() -> torch.Tensor:
    return torch.rand(3, 5, 12, 10, generator=torch.Generator().manual_seed(0)) + 0.1


def test_dropped_channels_are_whole_and_the_others_are_doubled(features):
    torch.manual_seed(0)
    factors = (drop_channels(features) / features).flatten(2)
    assert torch.equal(factors.amin(dim=2), factors.amax(dim=2))
    assert set(factors.round().unique().tolist()) == {0.0, 2.0}


def test_active_places_are_dropped_by_one_share_of_each_images_own_maximum(features):
    valid = torch.ones(3, 12, 10, dtype=torch.bool)
    valid[1, :, 6:] = False
    features[1, :, :, 6:] += 9  # the padding is the most active, and does not count
    torch.manual_seed(1)
    result = drop_active(features, valid)
    torch.manual_seed(1)
    share = 0.7 + 0.2 * float(torch.rand(()))
    for n in range(3):
        activity = features[n].double().numpy().mean(axis=0)
        largest = max(activity[y, x] for y in range(12) for x in range(10) if valid[n, y, x])
        for y in range(12):
            for x in range(10):
                kept = activity[y, x] < share * largest
                expected = features[n, :, y, x] if kept else torch.zeros(5)
                assert torch.equal(result[n, :, y, x], expected), (n, y, x)
    assert 0.7 <= share <= 0.9


def test_noise_is_a_factor_that_all_images_share(features):
    factors = add_noise(features) / features
    torch.testing.assert_close(factors[0], factors[1])
    assert (factors - 1).abs().max() <= 0.3 + 1e-6
    assert (factors[0] - 1).std() > 0.1  # U(-0.3, 0.3) has 0.173


def test_each_large_object_loses_a_box_of_four_tenths_of_its_sides():
    foreground = torch.zeros(2, 40, 40, dtype=torch.bool)
    foreground[0, 2:22, 3:33] = True  # 20 x 30, an outline of 96 pixels
    foreground[0, 30:34, 30:34] = True  # an outline of 12
    foreground[1, 5:35, 10:20] = True
    ones, places = torch.ones(2, 1, 40, 40), set()
    for seed in range(20):
        torch.manual_seed(seed)
        erased = erase_objects(ones, foreground)[:, 0] == 0
        for n, (top, bottom, left, right) in ((0, (2, 22, 3, 33)), (1, (5, 35, 10, 20))):
            (box,) = scipy.ndimage.find_objects(erased[n].numpy().astype(int))
            rows, columns = box
            assert erased[n, rows, columns].all()  # a full rectangle
            assert rows.stop - rows.start == round(0.4 * (bottom - top))
            assert columns.stop - columns.start == round(0.4 * (right - left))
            assert top <= rows.start and rows.stop <= bottom
            assert left <= columns.start and columns.stop <= right
            places.add((n, rows.start, columns.start))
    assert len(places) > 20


def test_small_objects_count_by_the_pixels_of_the_image():
    foreground = torch.zeros(1, 20, 20, dtype=torch.bool)
    foreground[0, 2:12, 2:12] = True  # 36 cells of outline
    ones = torch.ones(1, 1, 20, 20)
    assert (erase_objects(ones, foreground) == 1).all()
    assert (erase_objects(ones, foreground, scale=4.0) == 0).any()


class TestAdversarialNoise:
    """Against the direction that a linear classifier has in closed form."""

    @pytest.fixture
    def linear(self):
        generator = torch.Generator().manual_seed(0)
        return torch.randn(4, 5, generator=generator)

    def noise(self, features, weight, **options):
        def predict(maps):
            return torch.einsum('kc,nchw->nkhw', weight, maps[0])

        target = predict([features]).softmax(dim=1)
        valid = torch.ones(3, 12, 10, dtype=torch.bool)
        return predict, target, adversarial_noise([features], predict, target, valid, **options)[0]

    def test_norm_is_that_of_each_image(self, features, linear):
        found = self.noise(features, linear, size=2.5)[2]
        torch.testing.assert_close(found.flatten(1).norm(dim=1), torch.full((3,), 2.5))

    def test_direction_is_one_step_of_the_power_iteration(self, features, linear):
        """The gradient of KL(target, p(x + d)) is W^T (p(x + d) - p(x)), in float64."""
        torch.manual_seed(2)
        found = self.noise(features, linear, step=0.1)[2]
        torch.manual_seed(2)
        start = (torch.rand_like(features) - 0.5).double().numpy()
        x, w = features.double().numpy(), linear.double().numpy()
        for n in range(3):
            d = 0.1 * start[n] / np.sqrt((start[n] ** 2).sum())
            gradient = np.zeros_like(d)
            for y in range(12):
                for column in range(10):
                    p, q = (softmax(w @ (x[n] + shift)[:, y, column]) for shift in (0 * d, d))
                    gradient[:, y, column] = w.T @ (q - p)
            gradient *= 2.0 / np.sqrt((gradient**2).sum())
            cosine = (gradient * found[n].numpy()).sum() / 4.0
            assert cosine > 0.999, n

    def test_published_step_is_lost_in_float32(self, features, linear):
        """Why ``step`` is not 1e-6: the start is below the last bit of the features."""
        torch.manual_seed(2)
        exact = self.noise(features, linear, step=0.1)[2]
        torch.manual_seed(2)
        published = self.noise(features, linear, step=1e-6)[2]
        cosine = torch.cosine_similarity(exact.flatten(1), published.flatten(1), dim=1)
        assert cosine.abs().max() < 0.9

    def test_it_changes_the_prediction_more_than_noise_of_the_same_norm(self, features, linear):
        predict, target, found = self.noise(features, linear)
        generator = torch.Generator().manual_seed(5)
        random = torch.randn(features.shape, generator=generator)
        random *= 2.0 / random.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        changes = [divergence(target, predict([features + own])) for own in (found, random)]
        assert changes[0] > 2 * changes[1]

    def test_a_map_that_is_not_read_and_the_padding_get_none(self, features, linear):
        valid = torch.ones(3, 12, 10, dtype=torch.bool)
        valid[:, 8:] = False
        other = torch.ones(3, 2, 4, 4)

        def predict(maps):
            return torch.einsum('kc,nchw->nkhw', linear, maps[0])

        target = predict([features]).softmax(dim=1)
        found, none = adversarial_noise([features, other], predict, target, valid)
        assert (none == 0).all() and (found[:, :, 8:] == 0).all() and (found[:, :, :8] != 0).all()


def softmax(values: np.ndarray) -> np.ndarray:
    shifted = np.exp(values - values.max())
    return shifted / shifted.sum()


def divergence(target, logits) -> float:
    return float((target * (target.log() - logits.log_softmax(dim=1))).sum())
