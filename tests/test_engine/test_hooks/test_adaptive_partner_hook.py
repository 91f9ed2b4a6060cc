"""Partners are drawn from banks that are exactly one step stale, at any number of workers."""

import numpy as np
import pytest
import torch
from helpers import model_cfg
from mmengine.hooks import Hook
from tiny_runs import make_runner, tiny_runner_cfg

from mmseg_tsf.models.mixing.adaptive_cutmix import draw_partners
from mmseg_tsf.utils.errors import UserError

SEED, STEPS = 3, 6


class Record(Hook):
    """Keeps the banks after every step and the partners of every step."""

    priority = 'LOW'

    def __init__(self) -> None:
        self.banks: list = []
        self.partners: list = []
        self.images: list = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if not self.banks:
            self._keep(runner)
        samples = data_batch['data_samples']['partner']
        self.partners.append([(s.cutmix_class, s.pool_idx) for s in samples])
        self.images.append([image.clone() for image in data_batch['inputs']['partner']])

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._keep(runner)

    def _keep(self, runner) -> None:
        model = runner.model
        self.banks.append(
            (
                model.confidence_bank.confidence.numpy().copy(),
                model.class_bank.presence.numpy().copy(),
            )
        )


def run(root, work_dir, **options) -> Record:
    cfg = tiny_runner_cfg(
        'ael',
        root,
        work_dir,
        max_iters=STEPS,
        randomness=dict(seed=SEED),
        model=model_cfg('ael', momentum=0.1),
        **options,
    )
    runner = make_runner(cfg)
    record = Record()
    runner.register_hook(record)
    runner.train()
    return record


def test_partners_come_from_the_banks_as_the_step_before_last_left_them(data_root, tmp_path):
    record = run(data_root, tmp_path)
    fresher = 0
    for step, partners in enumerate(record.partners):
        # banks[i] is what there was before step i; step t's partners were drawn as step t - 1 began
        drawn, newest = (
            draw_partners(*record.banks[i], 2, np.random.default_rng((SEED, step)))
            for i in (max(step - 1, 0), step)
        )
        assert partners == drawn, step
        fresher += drawn != newest
    assert fresher > 0  # the banks change enough for the draws to tell


@pytest.mark.parametrize('workers', [1, 2, 3])
def test_number_of_workers_changes_nothing(data_root, tmp_path, workers):
    record = run(data_root, tmp_path / 'many', partner_workers=workers)
    expected = run(data_root, tmp_path / 'none', partner_workers=0)
    assert record.partners == expected.partners
    for mine, theirs in zip(record.images, expected.images, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    for mine, theirs in zip(record.banks, expected.banks, strict=True):
        assert all((a == b).all() for a, b in zip(mine, theirs, strict=True))


def test_partner_shows_the_image_that_was_asked_for(data_root, tmp_path):
    record = run(data_root, tmp_path)
    assert all(index in range(7) for step in record.partners for _, index in step)
    assert all(image.shape == (3, 32, 32) for step in record.images for image in step)
    # the same pool image is cropped anew at another step
    places = {}
    for step, images in zip(record.partners, record.images, strict=True):
        for (_, index), image in zip(step, images, strict=True):
            places.setdefault(index, []).append(image)
    repeated = [images for images in places.values() if len(images) > 1]
    assert repeated
    assert any(not torch.equal(images[0], images[1]) for images in repeated)


def test_data_without_unlabelled_images_is_refused(data_root, tmp_path):
    cfg = tiny_runner_cfg('ael', data_root, tmp_path)
    cfg.train_dataloader.dataset.unlabelled = None
    with pytest.raises(
        ValueError, match='needs unlabelled images: give SemiDataset.unlabelled, or train'
    ):
        make_runner(cfg).train()


def test_a_method_without_banks_is_refused_with_a_sentence(data_root, tmp_path):
    hooks = [
        dict(type='SemiHook'),
        dict(type='MeanTeacherHook'),
        dict(type='AdaptivePartnerHook', num_workers=0),
    ]
    cfg = tiny_runner_cfg('mt', data_root, tmp_path, custom_hooks=hooks)
    with pytest.raises(UserError, match='AdaptivePartnerHook'):
        make_runner(cfg).train()
