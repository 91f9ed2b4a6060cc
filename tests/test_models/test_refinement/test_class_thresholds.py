"""Thresholds of each class against a plain loop."""

import pytest
import torch

from mmseg_tsf.models.refinement.class_thresholds import ClassThresholds
from mmseg_tsf.utils.errors import UserError


def toy(num_classes: int = 3, seed: int = 0):
    """Labels that are right as often as they are sure; class 0 is more often right than that."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(num_classes, (2, 40, 40), generator=generator)
    confidence = torch.rand(labels.shape, generator=generator)
    chance = torch.where(labels == 0, confidence.sqrt(), confidence)
    right = torch.rand(labels.shape, generator=generator) < chance
    truth = torch.where(right, labels, (labels + 1) % num_classes)
    truth[:, :3] = 255
    return labels, confidence, truth


def test_a_threshold_is_the_lowest_confidence_from_which_on_enough_labels_are_right():
    labels, confidence, truth = toy()
    module = ClassThresholds(3, 0.75)
    module.update(labels, confidence, truth)
    found = module.thresholds()
    for label in range(3):
        mine = (labels == label) & (truth != 255)
        for step in range(257):  # from below
            above = mine & (confidence >= step / 256)
            if (truth == label)[above].float().mean() >= 0.75:
                break
        assert found[label] == step / 256
    assert found[0] < found[1:].min()  # surer than it says
    flagged = module(labels, confidence)
    assert torch.equal(flagged, confidence < found[labels])
    assert 0 < flagged.float().mean() < 1


def test_the_past_fades_and_void_never_counts():
    module = ClassThresholds(3, 0.75, momentum=0.5)
    first, second = toy(seed=1), toy(seed=2)
    module.update(*first)
    once = module.counts.clone()
    assert once[0].sum() == (first[2] != 255).sum()
    assert once[1].sum() == (first[0] == first[2]).sum()
    module.update(*second)
    again = ClassThresholds(3, 0.75)
    again.update(*second)
    torch.testing.assert_close(module.counts, once / 2 + again.counts)
    assert 'counts' in module.state_dict()


def test_unseen_classes_have_the_fallback_and_hopeless_ones_are_flagged_whole():
    labels = torch.tensor([[[0, 0, 1, 1]]])
    confidence = torch.tensor([[[0.2, 1.0, 0.9, 1.0]]])
    module = ClassThresholds(3, 0.9, fallback=0.6)
    assert (module.thresholds() == 0.6).all()
    module.update(labels, confidence, torch.tensor([[[0, 0, 2, 2]]]))
    found = module.thresholds()
    assert found[0] <= 0.2 and found[1] > 1 and found[2] == pytest.approx(0.6)
    assert module(labels, confidence).tolist() == [[[False, False, True, True]]]


@pytest.mark.parametrize('precision', [0, 1, 1.5])
def test_shares_out_of_range(precision):
    with pytest.raises(UserError, match=r'refinement.min_precision=.* must lie in \(0, 1\)'):
        ClassThresholds(3, precision)
    with pytest.raises(UserError, match='momentum=1 of class thresholds'):
        ClassThresholds(3, 0.5, momentum=1)
