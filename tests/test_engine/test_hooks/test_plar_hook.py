"""When labels are refined, and that hidden ground truth stays hidden."""

from unittest import mock

import numpy as np
import pytest
import torch
from helpers import REFINED, build_model, model_cfg, tiny_segmentor
from mmengine.hooks import Hook
from mmseg.registry import DATASETS
from PIL import Image
from tiny_runs import CLASSES, make_runner, part_cfg, tiny_runner_cfg

from mmseg_tsf.engine import PLARHook
from mmseg_tsf.evaluation.hidden_masks import load_image
from mmseg_tsf.utils.errors import UserError

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='PackSegInputs'),
]


class Watch(Hook):
    """Notes the switch, the losses' weight and the statistics of every iteration."""

    priority = 'LOW'

    def __init__(self) -> None:
        self.seen: list = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        refinement = runner.model.refinement
        self.seen.append(
            (refinement.active, float(refinement.loss_weight), 'refinement.flagged' in outputs)
        )


def run(root, work_dir, hook: dict, method: str = 'tsf', manual_labels=None, masks=None):
    cfg = tiny_runner_cfg(method, root, work_dir, model=model_cfg(method, **REFINED))
    dataset = cfg.train_dataloader.dataset
    dataset.manual_labels = manual_labels
    if masks is not None:
        dataset.unlabelled.data_prefix.seg_map_path = str(masks)
    cfg.custom_hooks[-1] = dict(type='PLARHook', **hook)
    runner = make_runner(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    return runner, watch


def test_switch_and_weight_follow_the_position_in_the_run(data_root, tmp_path):
    _, watch = run(data_root, tmp_path, dict(begin=0.5, loss_ramp=(0.0, 0.5)), 'mt')
    assert watch.seen == [
        (False, 0.0, False),
        (False, 0.5, False),
        (True, 1.0, True),
        (True, 1.0, True),
    ]


def test_hidden_ground_truth_is_measured_and_never_learnt_from(data_root, tmp_path):
    """Two runs whose hidden masks differ measure other figures and end with equal weights."""
    states, figures = [], []
    for name in ('right', 'wrong'):
        masks = tmp_path / name
        masks.mkdir()
        for path in sorted((data_root / 'ann').glob('*.png')):
            mask = np.asarray(Image.open(path))
            Image.fromarray(mask if name == 'right' else (mask + 1) % 4).save(masks / path.name)
        hidden = part_cfg(data_root, 'unlabelled.txt', PIPELINE)
        hidden['data_prefix']['seg_map_path'] = str(masks)
        hook = dict(begin=0.0, dataset=hidden, interval=2)
        runner, _ = run(data_root, tmp_path / f'run_{name}', hook, masks=masks)
        states.append(runner.model.state_dict())
        scalars = runner.message_hub.log_scalars
        figures.append({k: h.data[0] for k, h in scalars.items() if k.startswith('pseudo/')})
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert len(figures[0]['pseudo/before.accuracy']) == 2
    assert (figures[0]['pseudo/before.accuracy'] != figures[1]['pseudo/before.accuracy']).all()
    for key in ('after.mIoU', 'flagged', 'emd.AP', 'confidence.AP', 'confidence<0.7.AP'):
        assert np.isfinite(figures[0][f'pseudo/{key}']).all(), key


def test_manual_labels_are_leant_on_and_counted_in_no_figure(data_root, tmp_path):
    """Hidden masks that differ where people were asked, and there alone, give equal figures."""
    figures = []
    manual = tmp_path / 'manual'
    manual.mkdir()
    for name in ('right', 'wrong'):
        masks = tmp_path / name
        masks.mkdir()
        for path in sorted((data_root / 'ann').glob('*.png')):
            mask = np.asarray(Image.open(path))
            labels = np.full_like(mask, 255)
            labels[::5, ::3] = mask[::5, ::3]
            Image.fromarray(labels).save(manual / path.name)
            spoilt = np.where(labels != 255, (mask + 1) % 4, mask).astype(np.uint8)
            Image.fromarray(mask if name == 'right' else spoilt).save(masks / path.name)
        pipeline = [step for step in PIPELINE if step['type'] != 'Resize']
        hidden = part_cfg(data_root, 'unlabelled.txt', pipeline)
        hidden['data_prefix']['seg_map_path'] = str(masks)
        hook = dict(begin=0.0, dataset=hidden, interval=4)
        runner, _ = run(data_root, tmp_path / f'run_{name}', hook, manual_labels=str(manual))
        scalars = runner.message_hub.log_scalars
        figures.append({k: h.data[0] for k, h in scalars.items() if k.startswith('pseudo/')})
    right, wrong = figures
    for key, value in right.items():
        np.testing.assert_array_equal(value, wrong[key], err_msg=key)
    shares = {
        name: right[f'pseudo/{name}.{c}'] for c in CLASSES for name in ('flagged', 'corrected')
    }
    assert all(0 <= value <= 100 or np.isnan(value) for value in shares.values())
    assert right['pseudo/after.accuracy.inside'] > right['pseudo/before.accuracy.inside'] + 1


def test_shares_of_each_class_are_those_of_all_steps(data_root, tmp_path):
    runner, _ = run(data_root, tmp_path, dict(begin=0.5, interval=2))
    scalars = {k: h.data[0] for k, h in runner.message_hub.log_scalars.items()}
    found = np.array([scalars[f'refinement/flagged.{c}'] for c in CLASSES])
    assert found.shape[1] == 1  # two intervals, and nothing was refined in the first
    assert np.nanmax(found) > 0 and np.nanmin(found) >= 0 and np.nanmax(found) <= 100
    assert not runner.model.refinement.class_counts.any()  # begun anew


def test_measuring_does_not_disturb_the_training(data_root, tmp_path):
    hidden = part_cfg(data_root, 'unlabelled.txt', PIPELINE)
    with_it, _ = run(data_root, tmp_path / 'a', dict(begin=0.5, dataset=hidden, interval=1))
    without, _ = run(data_root, tmp_path / 'b', dict(begin=0.5))
    states = with_it.model.state_dict(), without.model.state_dict()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_a_model_without_refinement_is_refused(data_root, tmp_path):
    cfg = tiny_runner_cfg('mt', data_root, tmp_path)
    cfg.custom_hooks.append(dict(type='PLARHook'))
    with pytest.raises(UserError, match='has neither error_head nor refiner'):
        make_runner(cfg).train()


def test_refinement_without_the_hook_is_refused(data_root, tmp_path):
    cfg = tiny_runner_cfg('mt', data_root, tmp_path, model=model_cfg('mt', **REFINED))
    cfg.custom_hooks.pop()
    with pytest.raises(UserError, match="add dict\\(type='PLARHook'\\)"):
        make_runner(cfg).train()


@pytest.mark.parametrize('options', [dict(begin=1.5), dict(loss_ramp=(0.5, 0.2))])
def test_shares_out_of_order_are_refused(options):
    with pytest.raises(UserError, match='begin'):
        PLARHook(**options)


def test_every_process_needs_an_image_to_measure(data_root, tmp_path):
    hidden = part_cfg(data_root, 'unlabelled.txt', PIPELINE)
    ranks = mock.patch('mmseg_tsf.engine.hooks.plar_hook.get_world_size', return_value=8)
    with ranks, pytest.raises(UserError, match='has 7 images for 8 processes: each needs one'):
        run(data_root, tmp_path, dict(begin=0.5, dataset=hidden))


def test_an_image_that_is_labelled_is_not_measured(data_root, tmp_path):
    hidden = part_cfg(data_root, 'labelled.txt', PIPELINE)
    with pytest.raises(UserError, match='give PLARHook.dataset an ann_file without them'):
        run(data_root, tmp_path, dict(begin=0.5, dataset=hidden))


def test_padding_of_an_image_is_void(data_root):
    """A preprocessor that pads moves no label."""
    padded = tiny_segmentor()
    padded['data_preprocessor'].update(test_cfg=dict(size_divisor=32))
    plain = tiny_segmentor()
    pipeline = [step for step in PIPELINE if step['type'] != 'Resize']
    dataset = DATASETS.build(part_cfg(data_root, 'unlabelled.txt', pipeline))
    found = [load_image(build_model('mt', cfg), dataset, 0) for cfg in (padded, plain)]
    (image, truth, valid), (small, expected, everywhere) = found
    assert image.shape[2:] == truth.shape[1:] == (64, 64)
    assert small.shape[2:] == expected.shape[1:] == (40, 48)
    assert torch.equal(truth[:, :40, :48], expected)
    assert (truth[:, 40:] == 255).all() and (truth[:, :, 48:] == 255).all()
    assert valid[:, :40, :48].all() and valid.sum() == 40 * 48 and everywhere.all()
