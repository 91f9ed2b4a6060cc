"""The two banks against plain loops."""

import pytest
import torch

from mmseg_tsf.models.mixing.confidence_bank import ClassBank, ConfidenceBank
from mmseg_tsf.utils.errors import UserError


def plain_confidence(bank: list, logits, labels, momentum: float) -> list:
    """AEL's update, one pixel at a time."""
    sums, counts = [0.0] * len(bank), [0] * len(bank)
    probabilities = logits.double().softmax(dim=1)
    n, height, width = labels.shape
    for i in range(n):
        for row in range(height):
            for col in range(width):
                label = int(labels[i, row, col])
                if label < len(bank):
                    sums[label] += float(probabilities[i, label, row, col])
                    counts[label] += 1
    steps = [s / c if c else 0.0 for s, c in zip(sums, counts, strict=True)]
    return [momentum * old + (1 - momentum) * new for old, new in zip(bank, steps, strict=True)]


@pytest.mark.parametrize('momentum', [0.999, 0.3])
def test_confidence_equals_a_plain_loop(momentum):
    bank = ConfidenceBank(5, momentum)
    assert bank.confidence.tolist() == [0.5] * 5
    expected = bank.confidence.double().tolist()
    generator = torch.Generator().manual_seed(0)
    for step in range(4):
        logits = 3 * torch.randn(2, 5, 4, 6, generator=generator)
        labels = torch.randint(5, (2, 4, 6), generator=generator)
        labels[labels == step] = 255  # another class is absent in every step
        bank.update(logits, labels)
        expected = plain_confidence(expected, logits, labels, momentum)
        torch.testing.assert_close(
            bank.confidence.double(), torch.tensor(expected).double(), rtol=1e-5, atol=1e-6
        )


def test_an_absent_class_decays_towards_zero():
    bank = ConfidenceBank(3, momentum=0.9)
    bank.update(torch.zeros(1, 3, 2, 2), torch.full((1, 2, 2), 255))
    torch.testing.assert_close(bank.confidence, torch.full((3,), 0.45))


def test_sampling_rate_is_doubt_relative_to_the_least_sure_class():
    bank = ConfidenceBank(4)
    bank.confidence.copy_(torch.tensor([0.9, 0.2, 0.6, 1.0]))
    torch.testing.assert_close(bank.sampling_rate(), torch.tensor([0.125, 1.0, 0.5, 0.0]))
    bank.confidence.fill_(1.0)
    assert bank.sampling_rate().tolist() == [0.0] * 4  # and not NaN


def test_class_bank_notes_classes_above_the_least_area():
    bank = ClassBank(3, min_area=0.1)
    bank.resize(6)
    labels = torch.zeros(2, 10, 10, dtype=torch.int64)
    labels[0, 0] = 1  # 10 of 100 pixels: just enough
    labels[1, 0, :9] = 2  # 9: too few
    labels[1, 5:] = 255  # padding counts for nothing
    bank.update(labels, torch.tensor([4, 1]))
    expected = torch.zeros(3, 6, dtype=torch.bool)
    expected[0, 4] = expected[1, 4] = expected[0, 1] = True
    assert torch.equal(bank.presence, expected)
    # seeing an image again replaces what was known of it
    bank.update(torch.full((1, 10, 10), 2), torch.tensor([4]))
    expected[:, 4] = torch.tensor([False, False, True])
    assert torch.equal(bank.presence, expected)


def test_class_bank_of_another_pool_is_refused_and_an_unsized_one_adapts():
    bank = ClassBank(3)
    bank.resize(6)
    bank.presence[1, 5] = True
    saved = bank.state_dict()
    fresh = ClassBank(3)
    fresh.load_state_dict(saved)
    assert torch.equal(fresh.presence, bank.presence)
    other = ClassBank(3)
    other.resize(7)
    sentence = 'trained with 6 unlabelled images of 3 classes, the configured list has 7 of 3'
    with pytest.raises(UserError, match=sentence):
        other.load_state_dict(saved)
