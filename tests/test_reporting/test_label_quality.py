"""Quality of the labels of a pool against plain loops over pixels."""

import json

import numpy as np
import pytest
import torch
from helpers import REFINED, model_cfg
from mmengine.dataset import pseudo_collate
from mmseg.registry import DATASETS
from tiny_runs import active_learning_cfg, make_runner, part_cfg
from tool_loader import load_tool

from mmseg_tsf.active_learning import RoundStore
from mmseg_tsf.reporting.beliefs import Belief
from mmseg_tsf.reporting.label_quality import (
    PoolLabelQuality,
    has_hidden_masks,
    measure_pool_labels,
    read_pool_quality,
)
from mmseg_tsf.utils.errors import UserError

K, VOID = 3, 255
MASKS = [dict(type='LoadAnnotations')]


def figures(labels, truths, counted) -> tuple[float, float]:
    """mIoU and accuracy in percent, pixel by pixel."""
    inter, union, right, total = np.zeros(4), np.zeros(4), 0, 0
    for label, truth, where in zip(labels, truths, counted, strict=True):
        for own, true in zip(label[where], truth[where], strict=True):
            if own == VOID:
                continue
            total += 1
            right += own == true
            inter[true] += own == true
            union[true] += 1
            union[own] += own != true
    return 100 * (inter[union > 0] / union[union > 0]).mean(), 100 * right / total


def make_images(rng):
    for _ in range(3):
        truth = rng.integers(0, K, (6, 8))
        truth[0, :3] = VOID
        asked = rng.random((6, 8)) < 0.3
        manual = np.where(asked, truth, VOID).astype(np.uint8)
        pseudo = rng.integers(0, K, (3, 4))
        refined = np.where(rng.random((3, 4)) < 0.3, VOID, rng.integers(0, K, (3, 4)))
        yield truth, asked, manual, pseudo, refined


def test_figures_are_those_of_plain_loops():
    images = list(make_images(np.random.default_rng(0)))
    quality = PoolLabelQuality(K)
    found = dict(all=[], unrefined=[])
    for truth, asked, manual, pseudo, refined in images:
        belief = Belief(torch.from_numpy(pseudo), torch.from_numpy(refined))
        quality.update(belief, torch.from_numpy(truth), manual, asked)
        for name, part in (('all', refined), ('unrefined', pseudo)):
            large = np.kron(part, np.ones((2, 2), int))
            found[name].append(np.where(manual != VOID, manual, large))
    truths = [image[0] for image in images]
    every = [truth != VOID for truth in truths]
    unasked = [where & ~image[1] for where, image in zip(every, images, strict=True)]
    result = quality.compute()
    assert [result['mIoU'], result['accuracy']] == pytest.approx(
        figures(found['all'], truths, every)
    )
    assert [result['mIoU.unasked'], result['accuracy.unasked']] == pytest.approx(
        figures(found['all'], truths, unasked)
    )
    assert result['mIoU.unrefined'] == pytest.approx(figures(found['unrefined'], truths, every)[0])
    pixels = sum(where.sum() for where in every)
    asked = sum((image[1] & where).sum() for image, where in zip(images, every, strict=True))
    dropped = sum(
        ((labels == VOID) & where).sum() for labels, where in zip(found['all'], every, strict=True)
    )
    assert result['asked'] == pytest.approx(100 * asked / pixels)
    assert result['dropped'] == pytest.approx(100 * dropped / pixels) and dropped


def test_without_answers_and_refinement():
    truth = torch.tensor([[0, 1], [2, VOID]])
    quality = PoolLabelQuality(K)
    quality.update(Belief(torch.tensor([[0, 1], [1, 1]])), truth)
    result = quality.compute()
    assert result['mIoU'] == result['mIoU.unasked']
    assert set(result) == {'mIoU', 'accuracy', 'mIoU.unasked', 'accuracy.unasked', 'asked'}
    assert result['mIoU'] == pytest.approx(100 * (1 + 1 / 2 + 0) / 3)
    assert result['accuracy'] == pytest.approx(200 / 3)
    assert result['asked'] == 0


@pytest.fixture(scope='module')
def trained(tmp_path_factory, data_root):
    """A finished run of a supervised method; its config is dumped beside it."""
    folder = tmp_path_factory.mktemp('run')
    cfg = active_learning_cfg('supervised', data_root, folder)
    cfg.dump(folder / 'tiny.py')
    cfg = cfg.fromfile(folder / 'tiny.py')
    runner = make_runner(cfg)
    runner.train()
    return runner, folder


def test_a_run_is_measured_by_its_last_checkpoint(trained, data_root, capsys):
    runner, folder = trained
    assert has_hidden_masks(runner.cfg) and read_pool_quality(folder) is None
    found = measure_pool_labels(folder)
    masks = DATASETS.build(part_cfg(data_root, 'unlabelled.txt', MASKS))
    pool, store = runner.train_loop.campaign.pool, RoundStore(folder / 'rounds')
    labels, truths = [], []
    model = runner.model.eval()
    for i in range(len(pool)):
        with torch.no_grad():
            sample = model.test_step(pseudo_collate([pool.load(i)]))[0]
        own = sample.pred_sem_seg.data[0].numpy()
        manual = store.manual(pool.image_id(i))
        labels.append(own if manual is None else np.where(manual != VOID, manual, own))
        truths.append(masks[i]['gt_seg_map'])
    every = [np.ones(truth.shape, bool) for truth in truths]
    assert [found['mIoU'], found['accuracy']] == pytest.approx(figures(labels, truths, every))
    assert found['asked'] == pytest.approx(100 * 301 / sum(truth.size for truth in truths))
    assert (found['checkpoint'], found['images']) == ('iter_6.pth', 7)
    assert read_pool_quality(folder) == found
    assert load_tool('analysis/label_quality.py').main([str(folder)]) == found
    assert f'mIoU               {found["mIoU"]:.2f}\n' in capsys.readouterr().out


def test_figures_of_another_checkpoint_do_not_count(trained):
    folder = trained[1]
    measure_pool_labels(folder)
    path = folder / 'run_info.json'
    record = path.read_text()
    path.write_text(json.dumps(dict(json.loads(record), finished_iters=8)))
    try:
        assert read_pool_quality(folder) is None
        with pytest.raises(UserError, match='has no checkpoint of its end: let the run finish'):
            measure_pool_labels(folder)
    finally:
        path.write_text(record)


def test_a_refinement_is_measured_before_and_after(tmp_path, data_root):
    options = dict(model=model_cfg('mt', **REFINED), query=dict(type='PLARQuery'))
    cfg = active_learning_cfg('mt', data_root, tmp_path, **options)
    cfg.dump(tmp_path / 'tiny.py')
    make_runner(cfg.fromfile(tmp_path / 'tiny.py')).train()
    found = measure_pool_labels(tmp_path)
    assert found['mIoU'] != found['mIoU.unrefined'] and 0 < found['mIoU'] <= 100


def test_masks_that_are_missing_are_said(own_data_root, tmp_path):
    cfg = active_learning_cfg('supervised', own_data_root, tmp_path)
    assert has_hidden_masks(cfg)
    for path in (own_data_root / 'ann').glob('*.png'):
        path.unlink()
    assert not has_hidden_masks(cfg)
