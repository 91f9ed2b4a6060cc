"""Contrast of pixels with what is surely not of their class (U2PL, Wang et al. 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather
from torch import Tensor, nn

from ...utils.errors import UserError
from .labels import IGNORE_INDEX


class ClassQueues(nn.Module):
    """The latest negative examples of every class; the same ones on every rank.

    Args:
        num_classes: K.
        size: Number of examples that are kept for each class.
        channels: D, width of an example.
        keys: Number of pixels of a step and rank that are queued at most, drawn at random.

    Raises:
        UserError: More pixels are queued in a step than a queue holds.
    """

    def __init__(self, num_classes: int, size: int, channels: int, keys: int) -> None:
        super().__init__()
        self.size, self.keys = size, keys
        if not 0 < keys <= size:
            raise UserError(f'keys={keys} must be at least 1 and at most queue_size={size}')
        # the last slot of each queue takes what is not to be kept
        self.register_buffer('examples', torch.zeros(num_classes, size + 1, channels))
        self.register_buffer('head', torch.zeros(num_classes, dtype=torch.int64))
        self.register_buffer('length', torch.zeros(num_classes, dtype=torch.int64))

    @torch.no_grad()
    def append(self, features: Tensor, negative: Tensor) -> None:
        """Queues pixels; no value is read back to the host.

        Args:
            features: ``(N, D, h, w)``.
            negative: ``(N, K, h, w)`` bool, the classes that a pixel is a negative example of.
        """
        features, member = _by_pixel(features), _by_pixel(negative)
        chance = torch.rand(len(member), device=member.device).masked_fill(~member.any(dim=1), -1)
        drawn, chosen = chance.topk(min(self.keys, len(chance)))
        member = member[chosen] & (drawn >= 0).unsqueeze(1)
        features = torch.cat(all_gather(features[chosen].contiguous()))
        member = torch.cat(all_gather(member.contiguous()))
        if len(member) > self.size:
            features, member = features[-self.size :], member[-self.size :]
        place = (self.head + member.cumsum(dim=0) - 1) % self.size  # (P, K)
        place = place.masked_fill(~member, self.size)
        classes = torch.arange(len(self.head), device=place.device).expand_as(place)
        values = features.to(self.examples.dtype).unsqueeze(1).expand(-1, len(self.head), -1)
        self.examples[classes.flatten(), place.flatten()] = values.flatten(0, 1)
        added = member.sum(dim=0)
        self.head.copy_((self.head + added) % self.size)
        self.length.copy_((self.length + added).clamp(max=self.size))

    def draw(self, number: int, count: int) -> Tensor:
        """``(count, D)`` random examples of a class, with replacement; zeros where it has none."""
        length = self.length[number]
        places = (torch.rand(count, device=length.device) * length).long()
        return self.examples[number, places] * (length > 0)


def negative_classes(
    probs: Tensor,
    labels: Tensor,
    mask: Tensor,
    num_labelled: int,
    low_rank: int = 3,
    high_rank: int = 20,
    as_code: bool = False,
) -> Tensor:
    """Which classes a pixel is a negative example of.

    Args:
        probs: ``(N, K, h, w)`` probabilities by the teacher, of the labelled images first.
        labels: ``(N, h, w)`` true and pseudo-labels, 255 = none.
        mask: ``(N, h, w)`` bool, the labelled pixels and the unsure unlabelled ones.
        num_labelled: Number of the labelled images.
        low_rank: On labelled images, classes of a rank below it (from 0) that are not the label;
            on the others, ranks from it on.
        high_rank: First rank that is too low on unlabelled images.
        as_code: Whether the class must be the pixel's label as well, as in the public code.

    Returns:
        Tensor: ``(N, K, h, w)`` bool.
    """
    rank = probs.argsort(dim=1, descending=True).argsort(dim=1)
    classes = torch.arange(probs.shape[1], device=probs.device).view(1, -1, 1, 1)
    is_label = labels.unsqueeze(1) == classes
    seen = (rank < low_rank) & ~is_label
    unseen = (rank >= low_rank) & (rank < high_rank)
    negative = torch.cat((seen[:num_labelled], unseen[num_labelled:])) & mask.unsqueeze(1)
    return negative & is_label if as_code else negative


def contrastive_loss(
    student: Tensor,
    teacher: Tensor,
    probs: Tensor,
    labels: Tensor,
    queues: ClassQueues,
    queries: int = 256,
    negatives: int = 50,
    temperature: float = 0.5,
    min_prob: float = 0.3,
) -> Tensor:
    """InfoNCE of pixels with the mean of their class and with negatives, by cosine similarity.

    In float32, whatever autocast says: the sum over a class exceeds what float16 holds.

    Args:
        student: ``(N, D, h, w)`` representations that learn.
        teacher: ``(N, D, h, w)`` representations whose mean by class is the positive example.
        probs: ``(N, K, h, w)`` probabilities by the teacher.
        labels: ``(N, h, w)`` labels of the sure pixels, 255 elsewhere.
        queues: Negative examples.
        queries: Number of pixels drawn of each class, with replacement.
        negatives: Number of negatives for each of them.
        temperature: Divisor of the similarities.
        min_prob: Least probability of the label of a pixel that is drawn.

    Returns:
        Tensor: Scalar, a mean over the classes that are there; 0 without any.
    """
    student, teacher = _by_pixel(student).float(), _by_pixel(teacher).float()
    probs, labels = _by_pixel(probs), labels.flatten()
    num_classes = probs.shape[1]
    member = F.one_hot(labels.where(labels != IGNORE_INDEX, num_classes), num_classes + 1)
    member = member[:, :num_classes].bool()
    drawable = member & (probs > min_prob)
    losses, is_there = [], drawable.any(dim=0) & (queues.length > 0)
    with torch.autocast(student.device.type, enabled=False):
        means = member.to(teacher.dtype).T @ teacher
        means = means / member.sum(dim=0).clamp(min=1).unsqueeze(1)
        for number in range(num_classes):
            chance = torch.where(is_there[number], drawable[:, number], True).float()
            anchors = F.normalize(student[chance.multinomial(queries, replacement=True)], dim=1)
            drawn = queues.draw(number, queries * negatives).view(queries, negatives, -1)
            positive = anchors @ F.normalize(means[number], dim=0)
            against = torch.einsum('qd,qnd->qn', anchors, F.normalize(drawn, dim=2))
            similarity = torch.cat((positive.unsqueeze(1), against), dim=1) / temperature
            losses.append(similarity.logsumexp(dim=1).mean() - similarity[:, 0].mean())
    return (torch.stack(losses) * is_there).sum() / is_there.sum().clamp(min=1)


def _by_pixel(maps: Tensor) -> Tensor:
    """``(N, C, h, w)`` as ``(N * h * w, C)``."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
