"""What transforms paint into the label maps of unlabelled images, and who believes it."""

import copy

import numpy as np
import pytest
import torch
from helpers import SIZE, build_model, make_sample
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image
from tiny_runs import part_cfg, semi_dataset_cfg

from mmseg_tsf.models.utils.labels import valid_mask
from mmseg_tsf.utils.errors import UserError


@TRANSFORMS.register_module(force=True)
class Stamp(BaseTransform):
    """Paints the label map alone, in every second image."""

    def __init__(self, value: int) -> None:
        self.value = value

    def transform(self, results):
        if np.random.rand() < 0.5:
            results['gt_seg_map'][:2] = self.value
        return results


def config(root, *steps, **options):
    """The tiny data set with further transforms of unlabelled images, before the crop."""
    cfg = semi_dataset_cfg(root, **options)
    pipeline = cfg['unlabelled']['pipeline'] = copy.deepcopy(cfg['unlabelled']['pipeline'])
    pipeline[2:2] = steps
    return cfg


def rotate(value=255, **options):
    return dict(type='RandomRotate', degree=40, seg_pad_val=value, **{'prob': 0.5, **options})


def cut_out(value, prob=0.5):
    return dict(type='RandomCutOut', prob=prob, n_holes=1, cutout_shape=(9, 9), seg_fill_in=value)


@pytest.mark.parametrize(
    ('step', 'sentence'),
    [
        (rotate(0), 'has a RandomRotate, which paints 0 .*: set its seg_pad_val=255'),
        (rotate(3, prob=0.01), 'RandomRotate, which paints 3 .*: set its seg_pad_val=255'),
        (cut_out(0), 'RandomCutOut, which paints 0 .*: set its seg_fill_in=255, or leave it out'),
        (
            dict(type='RandomApply', transforms=[rotate(0)], prob=0.02),
            'RandomApply, which paints 0 .*: set its seg_pad_val=255',
        ),
        (dict(type='Stamp', value=1), 'Stamp, which paints 1 .*: let it paint 255'),
        (dict(type='Stamp', value=255), 'Stamp, and a pseudo-label where it .*: take it out, or'),
        (
            dict(type='Pad', size=(64, 64), pad_val=dict(img=0, seg=255)),
            'the unlabelled pipeline has a Pad, and a pseudo-label .* set data_preprocessor.size',
        ),
    ],
)
def test_what_would_count_as_labelled_by_people_is_refused(data_root, step, sentence):
    with pytest.raises(UserError, match=sentence):
        DATASETS.build(config(data_root, step))


def test_views_and_partly_labelled_images_are_looked_at_too(data_root):
    views = dict(strong=[cut_out(2, prob=0.01)])
    with pytest.raises(UserError, match='the strong pipeline has a RandomCutOut, which paints 2'):
        DATASETS.build(config(data_root, views=views))
    labelled = part_cfg(data_root, 'labelled.txt')
    labelled['pipeline'].insert(2, rotate(0))
    DATASETS.build(config(data_root, labelled=labelled))  # all of these pixels are labelled
    with pytest.raises(UserError, match='the labelled pipeline has a RandomRotate, which paints'):
        DATASETS.build(config(data_root, labelled=labelled, supervise_manual=True))


def test_a_loader_must_not_fill_maps_with_a_class(data_root):
    cfg = config(data_root)
    cfg['unlabelled']['pipeline'][1] = dict(type='LoadEmptyAnnotations', ignore_index=0)
    with pytest.raises(UserError, match='LoadEmptyAnnotations.ignore_index=0 of the unlabelled'):
        DATASETS.build(cfg)
    cfg['unlabelled']['pipeline'].pop(1)
    with pytest.raises(UserError, match=r"has no dict\(type='LoadAnnotations'\): add it behind"):
        DATASETS.build(cfg)


def test_stock_pipelines_carry_no_further_map(data_root):
    dataset = DATASETS.build(config(data_root, cut_out(None, prob=1.0)))
    assert 'outside' not in dataset[0]['data_samples']['unlabelled']


def test_no_label_is_believed_beside_a_turned_image(own_data_root):
    """White images tell where a pixel shows one, whatever resizes, flips and crops follow."""
    for path in (own_data_root / 'img').glob('*.png'):
        Image.new('RGB', (48, 40), (255, 255, 255)).save(path)
    resize = dict(type='RandomResize', scale=(48, 40), ratio_range=(1.0, 2.0), keep_ratio=True)
    views = dict(strong=[cut_out(255, prob=1.0)])
    dataset = DATASETS.build(config(own_data_root, rotate(prob=1.0), resize, views=views))
    beside = []
    np.random.seed(0)
    for index in range(len(dataset)):
        item = dataset[index]
        sample, image = item['data_samples']['unlabelled'], item['inputs']['unlabelled']
        valid = valid_mask([sample], image[None])[0]
        # interpolation blurs the border by a pixel on either side
        assert image[:, valid].float().mean() > 250 and (image[:, valid] > 0).all()
        beside.append(image[0, ~valid].float())
        assert (sample.gt_sem_seg.data == 255).all()
        strong = valid_mask([item['data_samples']['strong']], image[None])[0]
        assert (strong <= valid).all() and strong.sum() < valid.sum()
        shown = item['inputs']['strong'][:, strong]
        assert (shown > 0).all()
    beside = torch.cat(beside)
    assert len(beside) > 50 and beside.median() == 0 and beside.mean() < 50
    partner = dataset.load_partner(0, 1, (5,))
    assert partner['data_samples']['partner'].outside.data.any()


def test_the_mark_reaches_the_labels_of_a_step():
    """Of a crop that the preprocessor pads, too."""
    torch.manual_seed(0)
    outside = torch.rand(24, 20) < 0.3
    samples = [make_sample(torch.full((24, 20), 255)), make_sample(torch.full((24, 20), 255))]
    samples[1].outside = PixelData(data=outside[None])
    images = torch.randn(2, 3, SIZE, SIZE)
    expected = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    expected[:, :24, :20] = True
    expected[1, :24, :20] = ~outside
    valid = valid_mask(samples, images)
    assert torch.equal(valid, expected)
    model = build_model('mt')
    shown = model.view('teacher', images)
    pseudo, _ = model.label('teacher', shown, torch.full((2, SIZE, SIZE), 255), valid)
    assert torch.equal(pseudo.labels != 255, expected)
