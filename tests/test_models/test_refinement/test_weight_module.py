"""The weight module starts neutral and learns which map tells the classes apart."""

import pytest
import torch

from mmseg_tsf.models.refinement.plar import PseudoLabelAutoRefinement
from mmseg_tsf.models.refinement.vote import WeightModule, weight_loss


def toy(useful: int, seed: int = 0):
    """Two maps, of which one shows the class and the other nothing but noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (2, 16, 16), generator=generator)
    maps = [torch.randn(2, 6, 16, 16, generator=generator) for _ in range(2)]
    maps[useful] += 3 * torch.eye(3, 6)[labels].permute(0, 3, 1, 2)
    mask = torch.rand(2, 16, 16, generator=generator) < 0.3
    probs = torch.eye(3)[labels].permute(0, 3, 1, 2)
    return maps, probs, mask, labels


def test_weights_start_at_one_half_and_are_per_image():
    module = WeightModule((6, 4), hidden=8)
    features = [torch.randn(3, 6, 5, 5), torch.randn(3, 4, 9, 7)]
    assert torch.equal(module(features), torch.full((3, 2), 0.5))
    torch.nn.init.normal_(module.layers[-1].weight)
    weights = module(features)
    assert weights.shape == (3, 2)
    assert ((weights > 0) & (weights < 1)).all()
    torch.testing.assert_close(module([f[1:2] for f in features]), weights[1:2])


def test_padding_does_not_count():
    module = WeightModule((6, 4), hidden=8)
    torch.nn.init.normal_(module.layers[-1].weight)
    features = [torch.randn(2, 6, 8, 8), torch.randn(2, 4, 4, 4)]
    valid = torch.ones(2, 16, 16, dtype=torch.bool)
    torch.testing.assert_close(module(features, valid), module(features))
    valid[1, :, 8:] = False
    cropped = [f[1:, :, :, : f.shape[3] // 2] for f in features]
    torch.testing.assert_close(module(features, valid)[1:], module(cropped))
    assert module(features, torch.zeros_like(valid)).isfinite().all()


@pytest.mark.parametrize('useful', [0, 1])
@pytest.mark.parametrize('reference', ['reliable+manual', 'manual'])
def test_lambda_moves_to_the_map_that_tells_the_classes_apart(useful, reference):
    torch.manual_seed(0)
    refiner = PseudoLabelAutoRefinement(3, (6, 6), weights='learnt', reference=reference, hidden=8)
    maps, probs, mask, labels = toy(useful)
    maps = [m.requires_grad_() for m in maps]
    losses = []
    for _ in range(10):
        losses.append(refiner.loss(maps, probs, mask, labels))
        refiner.zero_grad()
        losses[-1].backward()
        for parameter in refiner.parameters():
            parameter.data -= parameter.grad
    assert maps[0].grad is None and maps[1].grad is None  # the weight module alone learns
    weights = refiner.weight_module(maps)
    assert ((weights > 0.6) if useful == 0 else (weights < 0.4)).all()
    assert losses[-1] < losses[0]


def test_loss_equals_a_plain_one_and_ignores_what_has_no_candidate():
    inf = float('inf')
    first = torch.tensor([[1.0, 2.0, inf], [2.0, 1.0, inf], [1.0, 1.0, inf], [inf, inf, inf]])
    second = first.flip(0).roll(1, 0)
    second = torch.where(first.isinf(), inf, second.masked_fill(second.isinf(), 3.0))
    weights = torch.full((4, 2), 0.3, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 0])  # class 2 is no candidate, the last image has none
    loss = weight_loss(weights, (first, second), (2 * first, second), labels)
    expected = 0
    for a, b in ((first, second), (2 * first, second)):
        hybrid = 0.3 * a[:2, :2] + 0.7 * b[:2, :2]
        expected += torch.nn.functional.cross_entropy(-hybrid, labels[:2])
    torch.testing.assert_close(loss.detach(), expected)
    loss.backward()
    assert weights.grad.isfinite().all()
    assert weights.grad[:2].any() and not weights.grad[2:].any()


def test_nothing_to_learn_from_is_a_loss_of_nought_that_reaches_every_parameter():
    refiner = PseudoLabelAutoRefinement(3, (6, 6), weights='learnt', hidden=8)
    maps, probs, mask, labels = toy(0)
    for nothing in (torch.zeros_like(mask), torch.ones_like(mask)):  # no question; no reference
        loss = refiner.loss(maps, probs, nothing, labels)
        assert loss.item() == 0
        loss.backward()
        assert all(p.grad is not None and not p.grad.any() for p in refiner.parameters())


def test_a_cap_on_the_pixels_leaves_the_loss_about_the_same():
    torch.manual_seed(0)
    refiner = PseudoLabelAutoRefinement(3, (6, 6), weights='learnt', hidden=8)
    arguments = toy(0)
    full, some = (refiner.loss(*arguments, max_pixels=m).item() for m in (4096, 64))
    assert full != some
    assert some == pytest.approx(full, rel=0.1)
