"""The preprocessor of batches by branch."""

import pytest
import torch
from helpers import make_sample
from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS

INNER = dict(
    type='SegDataPreProcessor',
    mean=[1.0, 2.0, 3.0],
    std=[2.0, 4.0, 8.0],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size_divisor=16,
)
SIZES = dict(labelled=[(20, 30), (18, 33)], unlabelled=[(25, 16), (32, 32)], paste=[(9, 9)] * 2)


CROPS = dict.fromkeys(SIZES, [(32, 48), (32, 48)])


def make_data(branches=SIZES):
    generator = torch.Generator().manual_seed(0)
    data = dict(inputs={}, data_samples={})
    for branch, sizes in branches.items():
        data['inputs'][branch] = [
            torch.randint(0, 256, (3, *size), generator=generator).byte() for size in sizes
        ]
        data['data_samples'][branch] = [
            make_sample(torch.randint(0, 5, size, generator=generator)) for size in sizes
        ]
    return data


def test_every_branch_comes_out_as_from_the_inner_preprocessor():
    outer = MODELS.build(dict(type='SemiDataPreprocessor', data_preprocessor=INNER))
    result = outer(make_data(), training=True)
    assert list(result['inputs']) == list(SIZES)
    assert {images.shape[2:] for images in result['inputs'].values()} == {(32, 48)}
    inner = MODELS.build({**INNER, 'size_divisor': None, 'size': (32, 48)})
    data = make_data()
    for branch in SIZES:
        part = dict(inputs=data['inputs'][branch], data_samples=data['data_samples'][branch])
        expected = inner(part, training=True)
        assert torch.equal(result['inputs'][branch], expected['inputs'])
        for a, b in zip(result['data_samples'][branch], expected['data_samples'], strict=True):
            assert torch.equal(a.gt_sem_seg.data, b.gt_sem_seg.data)
            assert a.metainfo == b.metainfo


@pytest.mark.parametrize(
    'options',
    [
        dict(size_divisor=16),
        dict(size_divisor=None, size=(32, 48)),
        dict(size_divisor=32),  # pads
        dict(size_divisor=None, size=(64, 32)),  # pads the height alone
        dict(size_divisor=16, bgr_to_rgb=False),
        dict(size_divisor=16, mean=None, std=None),
        dict(size_divisor=16, mean=[7.0], std=[3.0]),
    ],
)
def test_crops_of_one_size_come_out_bit_for_bit_as_from_the_inner_preprocessor(options):
    outer = MODELS.build(dict(type='SemiDataPreprocessor', data_preprocessor={**INNER, **options}))
    inner = MODELS.build({**INNER, **options})
    result, data = outer(make_data(CROPS), training=True), make_data(CROPS)
    for branch in CROPS:
        part = dict(inputs=data['inputs'][branch], data_samples=data['data_samples'][branch])
        expected = inner(part, training=True)
        assert torch.equal(result['inputs'][branch], expected['inputs'])
        for a, b in zip(result['data_samples'][branch], expected['data_samples'], strict=True):
            assert torch.equal(a.gt_sem_seg.data, b.gt_sem_seg.data)
            assert a.metainfo == b.metainfo


def test_a_preprocessor_of_ones_own_sees_every_image():
    class Inverting(SegDataPreProcessor):
        def forward(self, data, training=False):
            data = dict(data, inputs=[255 - image for image in data['inputs']])
            return super().forward(data, training)

    kwargs = {key: value for key, value in INNER.items() if key != 'type'}
    outer = MODELS.build(dict(type='SemiDataPreprocessor', data_preprocessor=Inverting(**kwargs)))
    data = make_data(CROPS)
    inverted = 255 - data['inputs']['labelled'][0].flip(0).float()
    expected = (inverted - outer.data_preprocessor.mean) / outer.data_preprocessor.std
    assert torch.equal(outer(data, training=True)['inputs']['labelled'][0], expected)


def test_normalises_by_hand_and_pads_labels_with_ignore():
    outer = MODELS.build(dict(type='SemiDataPreprocessor', data_preprocessor=INNER))
    data = make_data()
    image = data['inputs']['labelled'][0].float()
    label = data['data_samples']['labelled'][0].gt_sem_seg.data.clone()
    result = outer(data, training=True)
    mean, std = torch.tensor(INNER['mean']), torch.tensor(INNER['std'])
    expected = (image.flip(0) - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(result['inputs']['labelled'][0, :, :20, :30], expected)
    padded = result['data_samples']['labelled'][0].gt_sem_seg.data[0]
    assert torch.equal(padded[:20, :30], label[0])
    outside = torch.ones(32, 48, dtype=torch.bool)
    outside[:20, :30] = False
    assert (padded[outside] == 255).all()


def test_a_plain_batch_passes_through():
    outer = MODELS.build(dict(type='SemiDataPreprocessor', data_preprocessor=INNER))
    image = torch.randint(0, 256, (3, 16, 16)).byte()
    expected = MODELS.build(INNER)(dict(inputs=[image]), training=False)
    assert torch.equal(outer(dict(inputs=[image]), training=False)['inputs'], expected['inputs'])
