"""Labels of training, validation, test and hidden masks, at the start and in the dry run."""

import numpy as np
import pytest
import torch
from helpers import REFINED, model_cfg, tiny_segmentor
from mmengine.registry import DATASETS
from mmseg.registry import TRANSFORMS
from PIL import Image
from tiny_runs import (
    CLASSES,
    active_learning_cfg,
    make_runner,
    part_cfg,
    tiny_runner_cfg,
    validation_cfg,
)

from mmseg_tsf.active_learning import ORACLES
from mmseg_tsf.active_learning.campaign.builder import count_classes, with_classes
from mmseg_tsf.engine.preflight.dry_run import dry_run
from mmseg_tsf.engine.preflight.label_check import check_evaluations
from mmseg_tsf.utils.errors import UserError

OTHER = dict(classes=CLASSES[::-1])


def run_cfg(root, work_dir, method='supervised', **options):
    """A run with validation and test."""
    more = validation_cfg(root)
    more['val_dataloader']['dataset']['serialize_data'] = False
    for part in ('dataloader', 'cfg', 'evaluator'):
        more[f'test_{part}'] = more[f'val_{part}']
    more['test_cfg'] = dict(type='SemiTestLoop')
    return tiny_runner_cfg(method, root, work_dir, max_iters=1, **more, **options)


def refuse(cfg, sentence):
    """Neither the start of a training nor a dry run gets past the checks."""
    with pytest.raises(UserError, match=sentence):
        make_runner(cfg).train()
    with pytest.raises(UserError, match=sentence):
        dry_run(cfg)


@pytest.mark.parametrize('loader', ['val_dataloader', 'test_dataloader'])
def test_classes_of_evaluations(data_root, tmp_path, loader):
    cfg = run_cfg(data_root, tmp_path)
    cfg[loader].dataset.metainfo = OTHER
    both = rf'SemiDataset.labelled has metainfo.classes=\(.*, but {loader}.dataset has'
    refuse(cfg, both)
    with pytest.raises(UserError, match=both):
        check_evaluations(cfg)
    inner = cfg[loader].dataset
    cfg[loader].dataset = dict(type='RepeatDataset', times=2, dataset=inner)
    with pytest.raises(UserError, match=rf'but {loader}.dataset.dataset has'):
        check_evaluations(cfg)
    del inner['metainfo']
    inner['test_mode'] = True
    with pytest.raises(UserError, match=rf'{loader}.dataset.dataset names no classes'):
        check_evaluations(cfg)


def test_lists_of_evaluations(data_root, tmp_path):
    cfg = run_cfg(data_root, tmp_path)
    check_evaluations(cfg)
    cfg.val_dataloader.dataset.ann_file = str(tmp_path / 'val.txt')
    with pytest.raises(UserError, match='val.txt does not exist'):
        check_evaluations(cfg)
    check_evaluations(cfg, lists=())  # a test on another machine
    (tmp_path / 'val.txt').write_bytes('1\n2\n'.encode('utf-16'))
    with pytest.raises(UserError, match='val.txt is no UTF-8 text'):
        check_evaluations(cfg)


def test_the_test_has_the_classes_of_the_checkpoint(data_root, tmp_path):
    cfg = run_cfg(data_root, tmp_path)
    make_runner(cfg).train()
    cfg.load_from = str(tmp_path / 'iter_1.pth')
    assert make_runner(cfg).test()
    cfg.test_dataloader.dataset.metainfo = OTHER
    for part in ('labelled', 'unlabelled'):
        cfg.train_dataloader.dataset[part].metainfo = OTHER
    with pytest.raises(UserError, match='the checkpoint has metainfo.classes=.* test_dataloader'):
        make_runner(cfg).test()
    cfg.val_dataloader.dataset.metainfo = OTHER
    resumed = cfg.copy()
    resumed.resume = True
    with pytest.raises(UserError, match='the checkpoint has .* but SemiDataset.labelled has'):
        make_runner(resumed).train()


def test_hidden_masks(own_data_root, tmp_path):
    pipeline = run_cfg(own_data_root, tmp_path).val_dataloader.dataset.pipeline
    hidden = part_cfg(own_data_root, 'unlabelled.txt', pipeline)
    cfg = tiny_runner_cfg('mt', own_data_root, tmp_path, 1, model=model_cfg('mt', **REFINED))
    cfg.custom_hooks[-1].dataset = {**hidden, 'metainfo': OTHER}
    refuse(cfg, 'SemiDataset.labelled has .* but PLARHook.dataset has')
    cfg.custom_hooks[-1].dataset = hidden
    Image.fromarray(np.full((40, 48), 9, np.uint8)).save(own_data_root / 'ann/frame_11.png')
    refuse(cfg, r'frame_11.png has the class ids \[9\]')


class TestOracles:
    """The masks and the names that annotators have."""

    def test_masks_of_their_own(self, data_root, tmp_path):
        masks = {**part_cfg(data_root, 'unlabelled.txt'), 'metainfo': OTHER}
        oracle = dict(type='GroundTruthOracle', dataset=masks)
        cfg = active_learning_cfg('mt', data_root, tmp_path, oracle=oracle)
        refuse(cfg, 'SemiDataset.unlabelled has .* but oracle.dataset has')

    def test_0_and_255(self, own_data_root, tmp_path):
        for path in (own_data_root / 'ann').glob('*.png'):
            if int(path.stem.removeprefix('frame_')) > 4:  # those of the pool
                mask = np.asarray(Image.open(path))
                Image.fromarray(np.where(mask > 1, 255, 0).astype(np.uint8)).save(path)
        cfg = active_learning_cfg('mt', own_data_root, tmp_path)
        refuse(cfg, 'the masks of the simulated annotator: its 7 masks hold the class')

    def test_a_loader_of_somebody_is_used(self, own_data_root, tmp_path):
        """Masks whose values the stock loader would cast are refused when they are read."""
        path = own_data_root / 'ann/frame_9.png'
        mask = np.asarray(Image.open(path)).astype(np.uint16)
        Image.fromarray(mask + 256).save(path)
        oracle = ORACLES.build(dict(type='GroundTruthOracle'))
        with pytest.raises(UserError, match='frame_9.png has the type .* and holds 256, 257'):
            oracle.bind(part_cfg(own_data_root, 'unlabelled.txt'), tmp_path, 4)

    def test_people_read_the_names_of_the_labelled_images(self, data_root, tmp_path):
        oracle = dict(type='FolderOracle', annotation_dir=str(tmp_path / 'people'))
        cfg = active_learning_cfg('mt', data_root, tmp_path / 'run', oracle=oracle)
        del cfg.train_dataloader.dataset.unlabelled['metainfo']
        make_runner(cfg).train()
        text = (tmp_path / 'people/round_000/README.txt').read_text()
        assert [line.split() for line in text.splitlines() if line.startswith('       ')][:4] == [
            [str(i), name] for i, name in enumerate(CLASSES)
        ]

    def test_a_pool_without_names_has_the_label_map_of_its_type(self, data_root):
        cfg = active_learning_cfg('mt', data_root, 'none').train_dataloader.dataset
        labelled = DATASETS.build({**cfg.labelled, 'reduce_zero_label': True})
        del cfg.unlabelled['metainfo']
        with pytest.raises(UserError, match='reduce_zero_label=True, but SemiDataset.unlabelled'):
            with_classes(cfg.unlabelled, labelled)
        del labelled._metainfo['reduce_zero_label']
        assert with_classes(cfg.unlabelled, labelled).metainfo.classes == CLASSES


def test_labelled_pixels_are_counted_by_the_loader_of_the_pipeline(data_root):
    cfg = part_cfg(data_root, 'labelled.txt')
    masks = [np.asarray(Image.open(data_root / f'ann/frame_{i}.png')) for i in range(5)]
    expected = [sum((mask == value).sum() for mask in masks) for value in range(4)]
    assert count_classes(cfg, 4).tolist() == expected
    both = dict(type='ConcatDataset', datasets=[cfg, cfg])
    assert count_classes(both, 4).tolist() == [2 * pixels for pixels in expected]


def rewrite(folder, table):
    for path in folder.glob('*.png'):
        mask = np.asarray(Image.open(path))
        Image.fromarray(np.array(table, np.uint8)[mask]).save(path)


def test_masks_of_the_validation(own_data_root, tmp_path):
    cfg = run_cfg(own_data_root, tmp_path)
    rewrite(own_data_root / 'val_ann', [0, 0, 255, 255])
    refuse(cfg, 'val_dataloader.dataset: its 3 masks hold .* if 255 stands for a class')


def test_a_single_class_is_refused_unless_labels_are_asked(own_data_root, tmp_path, capsys):
    rewrite(own_data_root / 'ann', [0, 0, 0, 0])
    cfg = run_cfg(own_data_root, tmp_path / 'a')
    refuse(cfg, "SemiDataset.labelled: every labelled pixel .* 'road', so 'sky', 'car', 'pole' can")
    cfg = active_learning_cfg('mt', own_data_root, tmp_path / 'b', rounds=1, max_iters=2)
    capsys.readouterr()
    assert len(dry_run(cfg)['remarks']) == 1
    said = 'SemiDataset.labelled: 3 of 4 classes have no labelled pixel in its 5 masks (sky, car'
    assert said in capsys.readouterr().out
    make_runner(cfg).train()


@pytest.mark.parametrize(
    ('loss', 'where'),
    [
        (dict(type='CrossEntropyLoss', class_weight=[1.0] * 3), 'decode_head.loss_decode'),
        (
            [
                dict(type='DiceLoss'),
                dict(type='TverskyLoss', class_weight=[1.0] * 5),
            ],
            'decode_head.loss_decode.1',
        ),
    ],
)
def test_class_weights(data_root, tmp_path, loss, where):
    cfg = run_cfg(
        data_root, tmp_path, model=model_cfg('supervised', tiny_segmentor(loss_decode=loss))
    )
    refuse(cfg, rf'{where}.class_weight has [35] weights, but there are 4 classes')


def test_class_weights_of_an_auxiliary_head(data_root, tmp_path):
    network = tiny_segmentor()
    loss = dict(type='CrossEntropyLoss', class_weight=[1.0, 2.0])
    network['auxiliary_head'] = dict(network['decode_head'], loss_decode=loss)
    refuse(
        run_cfg(data_root, tmp_path, model=model_cfg('supervised', network)),
        r'auxiliary_head.loss_decode.class_weight has 2 weights',
    )


@pytest.mark.skipif(
    TRANSFORMS.get('LoadImageFromNpyFile') is None, reason='no loader of arrays in this stack'
)
def test_images_that_only_the_pipeline_can_open(own_data_root, tmp_path):
    """Arrays instead of pictures; Pillow knows nothing of them."""
    for path in (own_data_root / 'img').glob('*.png'):
        np.save(path.with_suffix('.npy'), np.asarray(Image.open(path))[..., ::-1])
        path.unlink()
    cfg = tiny_runner_cfg('mt', own_data_root, tmp_path, max_iters=2)
    for part in ('labelled', 'unlabelled'):
        own = cfg.train_dataloader.dataset[part]
        own.img_suffix, own.pipeline[0] = '.npy', dict(type='LoadImageFromNpyFile')
    dry_run(cfg)
    make_runner(cfg).train()
    (own_data_root / 'img/frame_8.npy').write_bytes(b'no array')
    refuse(cfg, r'image .*frame_8.npy cannot be read')
    assert torch.is_grad_enabled()
