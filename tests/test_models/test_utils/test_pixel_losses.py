"""Pseudo-labels and losses against plain loops."""

import math

import pytest
import torch

from mmseg_tsf.models.utils.labels import hard_labels, pseudo_labels
from mmseg_tsf.models.utils.pixel_losses import (
    consistency_loss,
    masked_mean,
    weighted_cross_entropy,
)


def make_logits(seed: int, requires_grad: bool = False):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 4, 5, 6, generator=generator).requires_grad_(requires_grad)


def make_labels(seed: int = 9):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (2, 5, 6), generator=generator)
    labels[0, 0] = 255
    labels[1, :, 3] = 255
    return labels


def log_softmax(values: list) -> list:
    total = math.log(sum(math.exp(v) for v in values))
    return [v - total for v in values]


def plain_cross_entropy(logits, labels, weight=None) -> float:
    total = norm = 0.0
    for n, row, col in torch.cartesian_prod(*(torch.arange(s) for s in labels.shape)).tolist():
        label = int(labels[n, row, col])
        if label == 255:
            continue
        w = 1.0 if weight is None else float(weight[n, row, col])
        total -= w * log_softmax(logits[n, :, row, col].tolist())[label]
        norm += w
    return total / norm


def test_weighted_cross_entropy_equals_a_plain_loop():
    logits, labels = make_logits(0), make_labels()
    weight = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(1))
    for w in (None, weight):
        expected = plain_cross_entropy(logits, labels, w)
        assert float(weighted_cross_entropy(logits, labels, w)) == pytest.approx(expected, rel=1e-5)


def test_weighted_cross_entropy_of_nothing_is_zero_with_finite_gradient():
    logits = make_logits(0, requires_grad=True)
    ignored = torch.full((2, 5, 6), 255)
    for labels, weight in ((ignored, None), (make_labels(), torch.zeros(2, 5, 6))):
        loss = weighted_cross_entropy(logits, labels, weight)
        loss.backward()
        assert float(loss.detach()) == 0.0
        assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_scaling_the_weight_does_not_scale_the_loss():
    logits, labels = make_logits(0), make_labels()
    weight = torch.rand(2, 5, 6)
    torch.testing.assert_close(
        weighted_cross_entropy(logits, labels, weight),
        weighted_cross_entropy(logits, labels, 7 * weight),
    )


def test_pseudo_labels_are_argmax_and_softmax_and_never_padding():
    logits = make_logits(2)
    valid = torch.ones(2, 5, 6, dtype=torch.bool)
    valid[0, 3:] = False
    valid[1, :, 4:] = False
    pseudo = pseudo_labels(logits, valid)
    best, labels = logits.softmax(dim=1).max(dim=1)
    assert torch.equal(pseudo.labels[valid], labels[valid])
    torch.testing.assert_close(pseudo.confidence[valid], best[valid])
    assert (pseudo.labels[~valid] == 255).all()
    assert (pseudo.confidence[~valid] == 0).all()


@pytest.mark.parametrize('sum_classes', [False, True])
def test_consistency_loss_equals_a_plain_loop(sum_classes):
    logits, targets = make_logits(3), make_logits(4).softmax(dim=1)
    valid = torch.ones(2, 5, 6, dtype=torch.bool)
    valid[0, :, :2] = False
    total, pixels = 0.0, valid.nonzero().tolist()
    for n, row, col in pixels:
        probs = [math.exp(v) for v in log_softmax(logits[n, :, row, col].tolist())]
        pairs = zip(probs, targets[n, :, row, col].tolist(), strict=True)
        total += sum((p - q) ** 2 for p, q in pairs) / (1 if sum_classes else 4)
    found = float(consistency_loss(logits, targets, valid, sum_classes))
    assert found == pytest.approx(total / len(pixels), rel=1e-5)


def test_hard_labels_are_argmax_and_the_first_of_equals_wins():
    logits = make_logits(3)
    assert torch.equal(hard_labels(logits), logits.argmax(dim=1))
    ties = logits.round()
    assert torch.equal(hard_labels(ties), ties.argmax(dim=1))
    assert hard_labels(ties).dtype == torch.int64


def test_hard_labels_of_nan_are_a_class():
    logits = make_logits(3)
    logits[0, :, 2, 2] = float('nan')
    assert int(hard_labels(logits)[0, 2, 2]) == 3


def test_masked_mean_leaves_the_padding_out():
    values = torch.tensor([[1.0, 2.0, 30.0]])
    assert float(masked_mean(values, torch.tensor([[True, True, False]]))) == 1.5
    assert float(masked_mean(values, torch.zeros(1, 3, dtype=torch.bool))) == 0.0
