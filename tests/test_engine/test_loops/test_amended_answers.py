"""When a training learns of an answer that was amended, while it runs and when it is resumed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tiny_runs import active_learning_cfg, make_runner
from tool_loader import load_tool

from mmseg_tsf.active_learning import ORACLES, RoundStore, verify
from mmseg_tsf.active_learning.oracles.base import Pending
from mmseg_tsf.active_learning.oracles.folder import FolderOracle

amend = load_tool('active_learning/amend.py').main


@ORACLES.register_module(force=True)
class PromptPeople(FolderOracle):
    """People who answer class 1 to everything, at once."""

    def answer(self, request, predict):
        found = super().answer(request, predict)
        if isinstance(found, Pending):
            for image_id in request.images:
                put(self.round_dir(request), image_id, request.mask(image_id), 1)
            found = super().answer(request, predict)
        return found


def put(folder, image_id, mask, label) -> None:
    Image.fromarray(np.where(mask, label, 255).astype(np.uint8)).save(
        folder / f'answers/{image_id}.png'
    )


def correct(work_dir, label) -> str:
    """People give the first image of round 0 another class."""
    request = RoundStore(work_dir / 'rounds').request(0)
    image_id = next(iter(request.images))
    put(work_dir / 'annotation/round_000', image_id, request.mask(image_id), label)
    amend([str(work_dir), '--round', '0'])
    return image_id


def make(data_root, work_dir, resume=False):
    oracle = dict(type='PromptPeople')
    cfg = active_learning_cfg('mt', data_root, work_dir, max_iters=6, rounds=2, oracle=oracle)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=1)
    cfg.resume = resume
    return make_runner(cfg)


def shown(runner, image_id) -> set[int]:
    """Classes that the training reads now where round 0 asked for an image."""
    dataset = runner.train_loop.dataloader.dataset
    folder = dataset.unlabelled.data_prefix['img_path']
    labels = dataset.manual_loader.read(f'{folder}/{image_id}.png')
    return set(labels[runner.train_loop.store.request(0).mask(image_id)].tolist())


@pytest.mark.parametrize('stopped', [False, True])
def test_an_amended_answer_is_used_from_the_next_round_or_start_on(data_root, tmp_path, stopped):
    runner, seen = make(data_root, tmp_path), []
    loop, run_iter = runner.train_loop, runner.train_loop.run_iter

    def noted(batch):
        run_iter(batch)
        if loop.iter == 3:
            seen.append(correct(tmp_path, 2))
            if stopped:
                raise KeyboardInterrupt
        if loop.iter > 2:
            seen.append(shown(runner, seen[0]))

    loop.run_iter = noted
    if stopped:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
        runner = make(data_root, tmp_path, resume=True)
        loop, run_iter = runner.train_loop, runner.train_loop.run_iter
        loop.run_iter = lambda batch: [run_iter(batch), seen.append(shown(runner, seen[0]))]
        runner.train()
        image_id, *classes = seen
        assert classes[-1] == {2} and all(own == {2} for own in classes)
    else:
        runner.train()
        image_id, *classes = seen
        # iterations 3 and 4 still have the labels of their stage
        assert classes == [{1}, {1}, {2}, {2}]
    store = RoundStore(tmp_path / 'rounds')
    assert verify(store) == [] and runner.iter == 6
    mask = store.request(0).mask(image_id)
    assert set(store.manual(image_id)[mask].tolist()) == {2}
