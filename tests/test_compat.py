"""What both OpenMMLab stacks are made to do alike."""

import pytest
import torch
from mmseg.models.decode_heads import decode_head
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.losses.accuracy import accuracy as stock_accuracy
from torch.nn import functional as F

WEIGHTS = [0.5, 1.0, 2.0, 4.0]


@pytest.fixture
def batch():
    torch.manual_seed(0)
    label = torch.randint(4, (2, 8, 8))
    label[:, :3] = 255
    return torch.randn(2, 4, 8, 8), label


@pytest.mark.parametrize('avg_non_ignore', [False, True])
def test_class_weights_where_labels_are_void(batch, avg_non_ignore):
    loss = CrossEntropyLoss(class_weight=WEIGHTS, avg_non_ignore=avg_non_ignore)
    found = loss(*batch, ignore_index=255)
    expected = F.cross_entropy(*batch, weight=torch.tensor(WEIGHTS), ignore_index=255)
    torch.testing.assert_close(found, expected)


def test_a_loss_of_nothing_but_void_is_zero():
    label = torch.full((1, 4, 4), 255)
    found = CrossEntropyLoss(class_weight=WEIGHTS)(torch.randn(1, 4, 4, 4), label, ignore_index=255)
    assert found == 0


def test_accuracy_is_the_stock_one(batch):
    found = decode_head.accuracy(*batch, ignore_index=255)
    torch.testing.assert_close(found, stock_accuracy(*batch, ignore_index=255))
