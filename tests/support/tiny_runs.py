"""Tiny data sets on disk and full configs of runs on them."""

from __future__ import annotations

import uuid
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from helpers import NUM_CLASSES, SIZE, SUPERVISED, model_cfg
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import MODELS
from PIL import Image

from mmseg_tsf.models import AdaptiveEqualizationLearning

CLASSES = ('road', 'sky', 'car', 'pole')
PALETTE = [[128, 64, 128], [70, 130, 180], [0, 0, 142], [153, 153, 153]]


class PlainConfig(Config):
    """A config that is written without yapf, which takes longer than a tiny run."""

    @property
    def pretty_text(self) -> str:
        return '\n'.join(f'{key} = {value!r}' for key, value in self.to_dict().items())


def make_dataset(root: Path, labelled: int = 5, unlabelled: int = 7) -> Path:
    """Writes PNGs whose colours follow their classes, masks and split lists."""
    rng = np.random.default_rng(0)
    for folder in ('img', 'ann', 'val_img', 'val_ann'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    names = [f'frame_{i}' for i in range(labelled + unlabelled)]
    for name in names:
        _write_pair(rng, root / 'img' / f'{name}.png', root / 'ann' / f'{name}.png')
    for i in range(3):
        _write_pair(rng, root / 'val_img' / f'{i}.png', root / 'val_ann' / f'{i}.png')
    (root / 'labelled.txt').write_text('\n'.join(names[:labelled]) + '\n')
    (root / 'unlabelled.txt').write_text('\n'.join(names[labelled:]) + '\n')
    return root


def _write_pair(rng: np.random.Generator, image_path: Path, mask_path: Path) -> None:
    coarse = rng.integers(0, NUM_CLASSES, (5, 6), dtype=np.uint8)
    mask = np.kron(coarse, np.ones((8, 8), np.uint8))  # (40, 48)
    image = np.asarray(PALETTE, np.int64)[mask] + rng.integers(-20, 20, (*mask.shape, 3))
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(image_path)
    Image.fromarray(mask).save(mask_path)


def part_cfg(root: Path, ann_file: str, pipeline: list | None = None, **more) -> dict:
    """Config of the labelled or the unlabelled half of a data set."""
    if pipeline is None:
        pipeline = [
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomCrop', crop_size=(SIZE, SIZE)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ]
    return dict(
        type='BaseSegDataset',
        metainfo=dict(classes=CLASSES, palette=PALETTE),
        img_suffix='.png',
        seg_map_suffix='.png',
        ann_file=str(root / ann_file) if ann_file else '',
        data_prefix=dict(img_path=str(root / 'img'), seg_map_path=str(root / 'ann')),
        pipeline=pipeline,
        **more,
    )


def semi_dataset_cfg(root: Path, **options) -> dict:
    """Config of a ``SemiDataset`` on what :func:`make_dataset` wrote."""
    defaults = dict(
        labelled=part_cfg(root, 'labelled.txt'), unlabelled=part_cfg(root, 'unlabelled.txt')
    )
    return dict(type='SemiDataset', **{**defaults, **options})


STRONG_VIEWS = dict(
    UniMatch=('strong', 'strong_2'),
    UniMatchV2=('strong', 'strong_2'),
    PerturbedStrictMeanTeachers=('strong',),
    SelfTraining=('strong',),
)


def tiny_runner_cfg(
    method: str,
    root: Path,
    work_dir: Path,
    max_iters: int = 4,
    num_workers: int = 0,
    partner_workers: int = 0,
    model: dict | None = None,
    **options,
) -> Config:
    """A full config of a run on :func:`make_dataset`'s files."""
    model = model or model_cfg(method)
    method_class = MODELS.get(model['type'])
    adaptive = issubclass(method_class, AdaptiveEqualizationLearning)
    strong = STRONG_VIEWS.get(model['type'], ())
    views = {name: [dict(type='PhotoMetricDistortion')] for name in strong} or None
    hooks = [dict(type='SemiHook')]
    if set(method_class.averages) - set(method_class.snapshots):
        hooks.append(dict(type='MeanTeacherHook', decay=0.9))
    if adaptive and model.get('adaptive_cutmix', True):
        hooks.append(dict(type='AdaptivePartnerHook', num_workers=partner_workers))
    if model.get('refiner') or model.get('error_head'):
        hooks.append(dict(type='PLARHook', begin=0.5))
    cfg = dict(
        default_scope='mmseg',
        model=model,
        work_dir=str(work_dir),
        experiment_name=uuid.uuid4().hex,  # keeps the runs of one process apart
        train_dataloader=dict(
            batch_size=2,
            num_workers=num_workers,
            sampler=dict(type='SemiInfiniteSampler', shuffle=True),
            dataset=_light(
                semi_dataset_cfg(root, paste_prob=0.5 if adaptive else None, views=views)
            ),
        ),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-2)),
        param_scheduler=[dict(type='PolyLR', power=0.9, begin=0, end=max_iters, by_epoch=False)],
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=1000),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1000, log_metric_by_epoch=False),
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1000),
            sampler_seed=dict(type='DistSamplerSeedHook'),
        ),
        custom_hooks=hooks,
        log_processor=dict(by_epoch=False),
        log_level='ERROR',
        randomness=dict(seed=3),
    )
    return PlainConfig({**cfg, **options})


def _light(cfg: dict) -> dict:
    """Without the garbage collection that packing the lists of a data set costs."""
    for part in ('labelled', 'unlabelled'):
        cfg[part]['serialize_data'] = False
    return cfg


def validation_cfg(root: Path, **loop) -> dict:
    """The three validation keys of a config."""
    data = part_cfg(
        root,
        '',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
    )
    data['data_prefix'] = dict(img_path=str(root / 'val_img'), seg_map_path=str(root / 'val_ann'))
    return dict(
        val_dataloader=dict(
            batch_size=1,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=data,
        ),
        val_evaluator=dict(type='IoUMetric', iou_metrics=['mIoU']),
        val_cfg=dict(type='SemiValLoop', **loop),
    )


INITIAL = 5 * 40 * 48  # pixels of the labelled images, which count in full


def active_learning_cfg(
    method: str,
    root: Path,
    work_dir: Path,
    max_iters: int = 6,
    model: dict | None = None,
    launcher: str = 'none',
    **loop,
) -> Config:
    """A tiny run with two rounds; validation data lend the pool their pipeline."""
    defaults = dict(
        rounds=2,
        query=dict(type='EntropyQuery'),
        budget=dict(total=INITIAL + 301),
        oracle=dict(type='GroundTruthOracle'),
    )
    cfg = tiny_runner_cfg(
        method, root, work_dir, max_iters, model=model, launcher=launcher, **validation_cfg(root)
    )
    cfg.train_cfg = dict(
        type='ActiveLearningLoop', max_iters=max_iters, val_interval=1000, **{**defaults, **loop}
    )
    if method in SUPERVISED:
        cfg.train_dataloader.dataset.update(supervise_manual=True, pool_only=True)
    return cfg


def make_runner(cfg: Config) -> Runner:
    """A runner that does not spend a second on describing the machine."""
    with mock.patch('mmengine.runner.runner.collect_env', return_value={}):
        return Runner.from_cfg(cfg)


def load_checkpoint(path) -> dict:
    """Content of a checkpoint, on the CPU."""
    return torch.load(path, map_location='cpu', weights_only=False)


def assert_equal(a, b, where: str = '') -> None:
    """Deep equality to the last bit."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal(a[key], b[key], f'{where}.{key}')
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal(x, y, f'{where}[{i}]')
    else:
        assert a == b, where
