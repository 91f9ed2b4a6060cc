"""What is taught on unlabelled images, by every method that has pseudo-labels."""

import pytest
import torch
from helpers import METHODS, REFINED, SUPERVISED, batch_for, build_model

LABELLING = [name for name in METHODS if name not in SUPERVISED]
# the pixels that people have labelled; those of AEL's equalisation sampling are drawn
REGION = (slice(None), slice(0, 16), slice(0, 16))


class Recorder:
    """Keeps the lessons of a step."""

    def __init__(self) -> None:
        self.lessons: list = []

    def begin(self, batch, samples) -> None:
        self.lessons.clear()

    def lesson(self, lesson) -> None:
        self.lessons.append(lesson)


def taught(method, manual: bool, **options) -> tuple:
    """Model, lessons by networks and losses of a step."""
    model = build_model(method, **options)
    model.progress.fill_(0.5)
    for refinement in model.refinements.values():
        refinement.active = True
    recorder = Recorder()
    model.listeners.append(recorder)
    inputs, samples = batch_for(model)
    for branch in set(samples) - {'labelled', 'paste'}:
        for sample in samples[branch]:
            if manual:
                sample.gt_sem_seg.data[REGION] = 2
    losses = model.loss(inputs, samples)
    return model, [own for own in recorder.lessons if own.teacher != 'people'], losses


def on_unlabelled(lesson, values) -> torch.Tensor:
    """The share of a lesson's maps that belongs to unlabelled images, two for each branch."""
    parts = values.split(2)
    assert len(parts) == len(lesson.branches)
    pairs = zip(lesson.branches, parts, strict=True)
    return torch.cat([part for branch, part in pairs if branch != 'labelled'])


@pytest.mark.parametrize('refined', [False, True])
@pytest.mark.parametrize('method', LABELLING)
def test_manual_pixels_win_in_every_lesson(method, refined):
    _, lessons, losses = taught(method, manual=True, **(REFINED if refined else {}))
    assert lessons
    checked = 0
    for lesson in lessons:
        if lesson.branches == ('labelled',):
            continue
        targets = on_unlabelled(lesson, lesson.targets)
        if targets.dim() == 4:  # probabilities
            targets = targets.argmax(dim=1)
        assert (targets[REGION] == 2).all(), lesson.branches
        checked += 1
    assert checked
    assert ('refinement.flagged' in losses or 'student.refinement.flagged' in losses) == refined


@pytest.mark.parametrize('active', [False, True])
@pytest.mark.parametrize('method', LABELLING)
def test_every_parameter_that_learns_gets_a_gradient(method, active):
    """DistributedDataParallel would wait for ever for one that does not."""
    model = build_model(method, **REFINED)
    for refinement in model.refinements.values():
        refinement.active = active
    losses = model.loss(*batch_for(model))
    sum(v.sum() for k, v in losses.items() if 'loss' in k).backward()
    missing = [k for k, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []
