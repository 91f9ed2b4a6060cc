"""Data sets inside of wrappers: used where it makes sense, refused by name where it does not."""

import json

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image
from tiny_runs import (
    active_learning_cfg,
    make_runner,
    part_cfg,
    semi_dataset_cfg,
    tiny_runner_cfg,
    validation_cfg,
)

from mmseg_tsf.datasets.wrappers import parts_of
from mmseg_tsf.utils.errors import UserError


def halves(root):
    """The labelled images in two lists."""
    names = (root / 'labelled.txt').read_text().split()
    for i, own in enumerate((names[:2], names[2:])):
        (root / f'half_{i}.txt').write_text('\n'.join(own) + '\n')
    return [part_cfg(root, f'half_{i}.txt') for i in range(2)]


def mixed(root):
    """Half a mosaic of four images, as MMSeg does it."""
    whole = part_cfg(root, 'labelled.txt')
    load, pack = whole['pipeline'][:2], whole['pipeline'][-1]
    crop = whole['pipeline'][2]
    mosaic = dict(type='RandomMosaic', prob=0.5, img_scale=(40, 48))
    inner = dict(whole, pipeline=load)
    return dict(type='MultiImageMixDataset', dataset=inner, pipeline=[mosaic, crop, pack])


WRAPPED = {
    'concat': lambda root: dict(type='ConcatDataset', datasets=halves(root)),
    'repeat': lambda root: dict(
        type='RepeatDataset', times=2, dataset=part_cfg(root, 'labelled.txt')
    ),
    'mix': mixed,
    'nested': lambda root: dict(
        type='RepeatDataset', times=3, dataset=dict(type='ConcatDataset', datasets=halves(root))
    ),
}
IMAGES = dict(concat=5, repeat=10, mix=5, nested=15)


@pytest.mark.parametrize('name', WRAPPED)
def test_labelled_images_may_come_in_wrappers(own_data_root, name):
    dataset = DATASETS.build(semi_dataset_cfg(own_data_root, labelled=WRAPPED[name](own_data_root)))
    assert len(dataset.labelled) == IMAGES[name]
    assert sum(map(len, parts_of(dataset.labelled))) == 5
    assert dataset.metainfo['classes'] == ('road', 'sky', 'car', 'pole')
    seen = set()
    np.random.seed(0)
    for i in range(3 * len(dataset)):
        sample = dataset[i]['data_samples']['labelled']
        assert (sample.gt_sem_seg.data < 4).any() and sample.gt_sem_seg.data.shape[1:] == (32, 32)
        seen.add(sample.img_path)
    assert len(seen) > 2


@pytest.mark.parametrize('name', WRAPPED)
def test_checks_reach_into_wrappers(own_data_root, name):
    path = own_data_root / 'ann/frame_4.png'
    Image.fromarray(np.full((40, 48), 9, np.uint8)).save(path)
    with pytest.raises(UserError, match=r'frame_4.png has the class ids \[9\]'):
        DATASETS.build(semi_dataset_cfg(own_data_root, labelled=WRAPPED[name](own_data_root)))
    with (own_data_root / 'unlabelled.txt').open('a') as file:
        file.write('frame_4\n')
    with pytest.raises(UserError, match='are in both|are both labelled and unlabelled'):
        DATASETS.build(semi_dataset_cfg(own_data_root, labelled=WRAPPED[name](own_data_root)))


@pytest.mark.parametrize('name', WRAPPED)
def test_the_pool_is_one_list(own_data_root, name):
    wrapped, kind = WRAPPED[name](own_data_root), 'SemiDataset.{}.type=.*wraps other data sets, but'
    cases = [
        (dict(unlabelled=wrapped), kind.format('unlabelled') + ' the pool is one list of images'),
        (dict(labelled=wrapped, supervise_manual=True), kind.format('labelled') + ' supervise_man'),
        (dict(labelled=wrapped, paste_pipeline=[]), kind.format('labelled') + ' paste_pipeline ta'),
    ]
    for options, sentence in cases:
        with pytest.raises(UserError, match=sentence):
            DATASETS.build(semi_dataset_cfg(own_data_root, **options))


def test_a_run_on_two_lists_is_recorded_and_a_run_with_rounds_is_refused(own_data_root, tmp_path):
    cfg = tiny_runner_cfg('mt', own_data_root, tmp_path / 'plain', max_iters=2)
    cfg.train_dataloader.dataset.labelled = WRAPPED['concat'](own_data_root)
    make_runner(cfg).train()
    record = json.loads((tmp_path / 'plain/run_info.json').read_text())['lists']['labelled']
    assert record['images'] == 5 and len(record['sha256']) == 16
    assert record['ann_file'].count('half_') == 2
    cfg = active_learning_cfg('mt', own_data_root, tmp_path / 'rounds')
    cfg.train_dataloader.dataset.labelled = WRAPPED['concat'](own_data_root)
    with pytest.raises(UserError, match='ConcatDataset.* wraps other data sets, but a run with ro'):
        make_runner(cfg).train()


def test_crops_and_validation_masks_inside_of_wrappers_are_checked(own_data_root, tmp_path):
    cfg = tiny_runner_cfg('mt', own_data_root, tmp_path, **validation_cfg(own_data_root))
    cfg.train_dataloader.dataset.labelled = WRAPPED['nested'](own_data_root)
    inner = cfg.train_dataloader.dataset.labelled.dataset.datasets[1]
    inner.pipeline[2].crop_size = (40, 40)
    with pytest.raises(
        UserError, match=r'the labelled pipeline crops \(40, 40\), data_preprocesso'
    ):
        make_runner(cfg).train()
    inner.pipeline[2].crop_size = (32, 32)
    cfg.experiment_name += '2'
    whole = cfg.val_dataloader.dataset
    cfg.val_dataloader.dataset = dict(type='ConcatDataset', datasets=[whole])
    Image.fromarray(np.full((40, 48), 9, np.uint8)).save(own_data_root / 'val_ann/1.png')
    with pytest.raises(UserError, match=r'val_ann/1.png has the class ids \[9\]'):
        make_runner(cfg).train()
