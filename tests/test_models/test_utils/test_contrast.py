"""Queues of negatives and the contrastive loss against plain Python."""

from collections import deque

import numpy as np
import pytest
import torch

from mmseg_tsf.models.utils.contrast import ClassQueues, contrastive_loss, negative_classes
from mmseg_tsf.utils.errors import UserError


def test_queues_keep_the_latest_in_order():
    generator = torch.Generator().manual_seed(0)
    queues = ClassQueues(num_classes=3, size=7, channels=2, keys=6)
    expected = [deque(maxlen=7) for _ in range(3)]
    for step in range(5):
        features = torch.rand(1, 2, 2, 3, generator=generator)
        negative = torch.rand(1, 3, 2, 3, generator=generator) < (0.0 if step == 0 else 0.5)
        torch.manual_seed(step)
        queues.append(features, negative)
        torch.manual_seed(step)  # all pixels fit, in the order that was drawn
        chance = torch.rand(6).masked_fill(~negative[0].flatten(1).any(dim=0), -1)
        for pixel in chance.argsort(descending=True).tolist():
            y, x = divmod(pixel, 3)
            for k in range(3):
                if negative[0, k, y, x]:
                    expected[k].append(features[0, :, y, x].tolist())
    for k in range(3):
        assert int(queues.length[k]) == len(expected[k])
        assert sorted(queues.examples[k, : len(expected[k])].tolist()) == sorted(expected[k])
    assert min(map(len, expected)) > 3


def test_at_most_so_many_pixels_of_a_step_are_queued():
    queues = ClassQueues(num_classes=2, size=50, channels=1, keys=10)
    features = torch.arange(100.0).view(1, 1, 10, 10)
    negative = torch.zeros(1, 2, 10, 10, dtype=torch.bool)
    negative[:, 0, :5] = True
    queues.append(features, negative)
    assert queues.length.tolist() == [10, 0]
    kept = queues.examples[0, :10, 0]
    assert len(kept.unique()) == 10 and (kept < 50).all()
    assert queues.draw(1, 4).tolist() == [[0.0]] * 4
    drawn = queues.draw(0, 200).unique()
    assert set(drawn.tolist()) <= set(kept.tolist()) and len(drawn) > 5


def test_a_queue_that_a_step_overfills():
    with pytest.raises(UserError, match='keys=9 must be at least 1 and at most queue_size=8'):
        ClassQueues(num_classes=2, size=8, channels=1, keys=9)


@pytest.mark.parametrize('as_code', [False, True])
def test_negative_classes(as_code):
    generator = torch.Generator().manual_seed(0)
    probs = torch.randn(3, 6, 4, 5, generator=generator).softmax(dim=1)
    labels = torch.randint(6, (3, 4, 5), generator=generator)
    labels[:, 0] = 255
    mask = (torch.rand(3, 4, 5, generator=generator) < 0.7) & (labels != 255)
    found = negative_classes(probs, labels, mask, 1, low_rank=2, high_rank=5, as_code=as_code)
    for n in range(3):
        for y in range(4):
            for x in range(5):
                order = sorted(range(6), key=lambda k: -float(probs[n, k, y, x]))
                for k in range(6):
                    rank, label = order.index(k), int(labels[n, y, x])
                    seen, unseen = rank < 2 and k != label, 2 <= rank < 5
                    expected = seen if n < 1 else unseen  # the first image is labelled
                    expected = expected and bool(mask[n, y, x]) and (k == label or not as_code)
                    assert bool(found[n, k, y, x]) == expected
    assert found.any()


def test_loss_is_info_nce_with_the_mean_of_the_class():
    """One pixel of each class can be drawn and negatives are equal, so nothing is random."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 2, 8, 3, 3, generator=generator)
    probs = torch.full((2, 4, 3, 3), 0.1)
    labels = torch.full((2, 3, 3), 255)
    labels[0, 0, 0] = labels[0, 0, 1] = 0
    probs[0, 0, 0, 0] = 0.7  # the other pixel of class 0 is too unsure to be drawn
    labels[1, 2, 2] = 2
    probs[1, 2, 2, 2] = 0.9
    labels[1, 1, 1] = 3
    probs[1, 3, 1, 1] = 0.9  # class 3 has no negatives, class 1 no pixel
    queues = ClassQueues(num_classes=4, size=5, channels=8, keys=5)
    negatives = torch.randn(4, 8, generator=generator)
    for k in (0, 1, 2):
        queues.examples[k, :3], queues.length[k] = negatives[k], 3
    found = contrastive_loss(
        student, teacher, probs, labels, queues, queries=5, negatives=6, temperature=0.5
    )

    def cosine(a, b):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        return a @ b / np.sqrt((a @ a) * (b @ b))

    expected = []
    positives = {0: (teacher[0, :, 0, 0] + teacher[0, :, 0, 1]) / 2, 2: teacher[1, :, 2, 2]}
    for k, anchor in ((0, student[0, :, 0, 0]), (2, student[1, :, 2, 2])):
        positive = np.exp(cosine(anchor, positives[k]) / 0.5)
        negative = np.exp(cosine(anchor, negatives[k]) / 0.5)
        expected.append(-np.log(positive / (positive + 6 * negative)))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)


def test_loss_is_as_exact_under_autocast():
    """In float16 the sum over the pixels of a class would be infinite."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 2, 8, 20, 20, generator=generator)
    labels = torch.randint(3, (2, 20, 20), generator=generator)
    probs = torch.ones(2, 3, 20, 20)
    queues = ClassQueues(num_classes=3, size=5, channels=8, keys=5)
    queues.examples[:, :5], queues.length[:] = torch.randn(3, 5, 8, generator=generator), 5
    found = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            found.append(contrastive_loss(student, teacher, probs, labels, queues))
    assert torch.equal(*found)


def test_no_class_with_pixels_and_negatives_gives_zero_with_a_gradient():
    queues = ClassQueues(num_classes=4, size=5, channels=8, keys=5)
    student = torch.randn(1, 8, 3, 3, requires_grad=True)
    labels = torch.zeros(1, 3, 3, dtype=torch.int64)
    loss = contrastive_loss(student, student.detach(), torch.ones(1, 4, 3, 3), labels, queues)
    loss.backward()
    assert float(loss.detach()) == 0 and (student.grad == 0).all()
