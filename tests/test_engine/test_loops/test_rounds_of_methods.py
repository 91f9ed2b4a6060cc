"""Labels that a round buys reach the losses of every method."""

import numpy as np
import pytest
import torch
from helpers import model_cfg, tiny_segmentor
from mmengine.hooks import Hook
from PIL import Image
from tiny_runs import INITIAL, active_learning_cfg, make_runner

from mmseg_tsf.active_learning import RoundStore

METHODS = ('cct', 'gct', 'psmt', 'self_training', 'u2pl', 'unimatch', 'unimatch_v2')
SIZE, PIXELS, ROUND_AT, LAST = (40, 48), 4000, 2, 4
WHOLE = [  # images as they lie on disk, so that pixels stay where they were asked
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]


class Recorder(Hook):
    """Batch, data samples, lessons and losses of every iteration."""

    def __init__(self) -> None:
        self.steps: list[dict] = []

    def begin(self, batch, samples) -> None:
        self.steps.append(dict(batch=batch, samples=samples, lessons=[]))

    def lesson(self, lesson) -> None:
        self.steps[-1]['lessons'].append(lesson)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.steps[-1]['losses'] = {k: float(v.detach().sum()) for k, v in outputs.items()}


def train(method, data_root, work_dir) -> tuple[list[dict], RoundStore]:
    """Steps of a run with a round in the middle, and what the round bought."""
    segmentor = tiny_segmentor()
    segmentor['data_preprocessor']['size'] = SIZE
    cfg = active_learning_cfg(
        method,
        data_root,
        work_dir,
        max_iters=LAST,
        model=model_cfg(method, segmentor, manual_weight=1.0),
        rounds=1,
        budget=dict(total=INITIAL + PIXELS),
    )
    for branch in ('labelled', 'unlabelled'):
        cfg.train_dataloader.dataset[branch].pipeline = WHOLE
    runner, recorder = make_runner(cfg), Recorder()
    runner.register_hook(recorder)
    runner.model.listeners.append(recorder)
    runner.train()
    return recorder.steps, RoundStore(work_dir / 'rounds')


def check_labels(sample, store, data_root, is_bought: bool) -> None:
    """The labels of a sample are the truth where the round asked, once it is answered."""
    image_id = sample.img_path.rsplit('/', 1)[-1].removesuffix('.png')
    truth = np.array(Image.open(data_root / 'ann' / f'{image_id}.png'))
    asked = store.asked(image_id)
    expected = np.where(asked & is_bought, truth, 255)
    assert np.array_equal(sample.gt_sem_seg.data[0].numpy(), expected)


def taught(lesson, batch) -> int:
    """Number of bought pixels in a lesson, all of which it must teach as they are."""
    found, parts = 0, zip(lesson.branches, lesson.targets.split(2), strict=True)
    weights = [None] * len(lesson.branches) if lesson.weight is None else lesson.weight.split(2)
    for (branch, targets), weight in zip(parts, weights, strict=True):
        if branch == 'labelled':
            continue
        manual = batch.views[branch].manual
        given = manual != 255
        labels = targets.argmax(dim=1) if targets.dim() == 4 else targets
        assert torch.equal(labels[given], manual[given]), branch
        assert weight is None or (weight[given] > 0).all()
        if lesson.teacher == 'people':
            assert (labels[~given] == 255).all()
        found += int(given.sum())
    return found


@pytest.mark.parametrize('method', METHODS)
def test_bought_labels_are_taught_from_the_next_iteration_on(method, data_root, tmp_path):
    steps, store = train(method, data_root, tmp_path)
    assert len(steps) == LAST
    for number, step in enumerate(steps):
        is_bought = number >= ROUND_AT
        for sample in step['samples']['unlabelled']:
            check_labels(sample, store, data_root, is_bought)
        for teacher in {lesson.teacher for lesson in step['lessons']}:
            own = [lesson for lesson in step['lessons'] if lesson.teacher == teacher]
            assert (sum(taught(lesson, step['batch']) for lesson in own) > 50) == is_bought
        loss = sum(value for name, value in step['losses'].items() if 'loss_manual' in name)
        assert (loss > 0) == is_bought
