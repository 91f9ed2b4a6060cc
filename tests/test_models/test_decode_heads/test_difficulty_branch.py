"""The difficulty branch and its loss against plain loops in float64."""

import math

import numpy as np
import pytest
import torch

from mmseg_tsf.models.decode_heads.difficulty_branch import DifficultyBranch, difficulty_loss
from mmseg_tsf.utils.errors import UserError

K = 5


def bilinear(values: np.ndarray, size: tuple[int, int], align_corners: bool) -> np.ndarray:
    """``(C, h, w)`` at another size, point by point."""
    out = np.zeros((len(values), *size))
    for y in range(size[0]):
        for x in range(size[1]):
            lines = []
            for place, new, old in ((y, size[0], values.shape[1]), (x, size[1], values.shape[2])):
                if align_corners:
                    at = place * (old - 1) / (new - 1) if new > 1 else 0.0
                else:
                    at = max((place + 0.5) * old / new - 0.5, 0.0)
                first = min(int(at), old - 1)
                lines.append((first, min(first + 1, old - 1), at - first))
            (top, bottom, down), (left, right, across) = lines
            upper = values[:, top, left] * (1 - across) + values[:, top, right] * across
            lower = values[:, bottom, left] * (1 - across) + values[:, bottom, right] * across
            out[:, y, x] = upper * (1 - down) + lower * down
    return out


def attended(probs: np.ndarray, gamma: float) -> np.ndarray:
    """Each position's mean over all, weighted by the softmax of plain dot products."""
    if gamma < -0.01:
        return probs
    flat = probs.reshape(len(probs), -1)
    out = np.zeros_like(flat)
    for i in range(flat.shape[1]):
        similar = [math.exp(flat[:, i] @ flat[:, j]) for j in range(flat.shape[1])]
        mean = sum(s * flat[:, j] for j, s in enumerate(similar)) / sum(similar)
        out[:, i] = gamma * mean + flat[:, i]
    return out.reshape(probs.shape)


def reference(branch: DifficultyBranch, logits: np.ndarray, size, gamma=None) -> np.ndarray:
    """Difficulty logits of one image."""
    small = bilinear(logits, branch.size, branch.align_corners)
    probs = np.exp(small) / np.exp(small).sum(axis=0)
    if gamma is not None:
        probs = attended(probs, gamma)
    weight = branch.classifier.weight.detach().double().numpy().ravel()
    found = np.tensordot(weight, probs, axes=1) + float(branch.classifier.bias.detach())
    return bilinear(found[None], size, branch.align_corners)[0]


@pytest.fixture
def logits() -> torch.Tensor:
    return 3 * torch.randn(2, K, 9, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('gamma', [None, 0.0, 0.8, -0.005, -0.02])
def test_difficulty_equals_its_definition(logits, gamma, align_corners):
    torch.manual_seed(0)
    branch = DifficultyBranch(K, (6, 7), attention=gamma is not None, align_corners=align_corners)
    if gamma is not None:
        branch.attention.gamma.data.fill_(gamma)
    found = branch(logits, (12, 14)).detach()
    assert found.shape == (2, 12, 14)
    for own, image in zip(found, logits.double().numpy(), strict=True):
        expected = reference(branch, image, (12, 14), gamma)
        np.testing.assert_allclose(own.numpy(), expected, atol=1e-5)


def test_attention_begins_at_0_and_still_learns(logits):
    torch.manual_seed(0)
    branch = DifficultyBranch(K, (6, 7), attention=True)
    plain = DifficultyBranch(K, (6, 7))
    plain.load_state_dict(branch.state_dict(), strict=False)
    found = branch(logits, (9, 8))
    torch.testing.assert_close(found, plain(logits, (9, 8)))
    found.square().sum().backward()
    assert branch.attention.gamma.grad != 0
    branch.attention.gamma.data.fill_(-0.02)
    branch.zero_grad()
    branch(logits, (9, 8)).square().sum().backward()
    assert branch.attention.gamma.grad == 0


@pytest.mark.parametrize('gamma', [None, 0.5])
def test_gradient_reaches_the_logits(gamma):
    """Against differences of the definition."""
    torch.manual_seed(0)
    branch = DifficultyBranch(K, (3, 4), attention=gamma is not None)
    if gamma is not None:
        branch.attention.gamma.data.fill_(gamma)
    logits = torch.randn(1, K, 4, 4, requires_grad=True)
    branch(logits, (5, 5)).square().sum().backward()
    values, step = logits.detach().double().numpy()[0], 1e-4
    for place in ((0, 0, 0), (1, 2, 3), (4, 3, 1), (2, 1, 1)):
        sums = []
        for sign in (1, -1):
            moved = values.copy()
            moved[place] += sign * step
            sums.append((reference(branch, moved, (5, 5), gamma) ** 2).sum())
        expected = (sums[0] - sums[1]) / (2 * step)
        assert float(logits.grad[0][place]) == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_the_map_is_float32_under_autocast(logits):
    branch = DifficultyBranch(K, (6, 7), attention=True)
    branch.attention.gamma.data.fill_(0.5)
    expected = branch(logits.bfloat16().float(), (9, 8))
    with torch.autocast('cpu', torch.bfloat16):
        found = branch(logits.bfloat16(), (9, 8))
    assert found.dtype == torch.float32 and torch.equal(found, expected)


@pytest.mark.parametrize('size', [(0, 3), (3,), 8, (2.5, 3)])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(UserError, match='size=.* of the difficulty branch must be a height'):
        DifficultyBranch(K, size)


def loss_by_loops(logits, wrong, known) -> float:
    """The definition, one pixel at a time."""
    terms = {False: [], True: []}
    for logit, is_wrong, is_known in zip(logits, wrong, known, strict=True):
        if is_known:
            prob = 1 / (1 + math.exp(-logit))
            terms[is_wrong].append(-math.log(prob if is_wrong else 1 - prob))
    weights = {kind: 1 / math.sqrt(len(own) + 1) for kind, own in terms.items()}
    means = {kind: sum(own) / len(own) if own else 0.0 for kind, own in terms.items()}
    return sum(weights[kind] / sum(weights.values()) * means[kind] for kind in terms)


@pytest.mark.parametrize('share', [0.0, 0.1, 1.0])
def test_loss_equals_its_definition_and_void_does_not_count(share):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 8, 9, generator=generator)
    wrong = torch.rand(2, 8, 9, generator=generator) < share
    known = torch.rand(2, 8, 9, generator=generator) < 0.7
    lists = (own.flatten().tolist() for own in (logits, wrong, known))
    expected = loss_by_loops(*lists)
    assert float(difficulty_loss(logits, wrong, known)) == pytest.approx(expected, rel=1e-5)
    changed = difficulty_loss(logits.masked_fill(~known, 9.0), wrong ^ ~known, known)
    assert float(changed) == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_any_label_has_the_loss_0():
    logits = torch.randn(1, 4, 4, requires_grad=True)
    nothing = torch.zeros(1, 4, 4, dtype=torch.bool)
    loss = difficulty_loss(logits, ~nothing, nothing)
    loss.backward()
    assert float(loss.detach()) == 0 and (logits.grad == 0).all()
