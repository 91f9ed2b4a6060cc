"""The pairs of labelled and unlabelled images, their randomness and their refusals."""

from collections import Counter

import numpy as np
import pytest
import torch
from helpers import SIZE
from mmengine.dataset import DefaultSampler, InfiniteSampler, pseudo_collate
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image
from tiny_runs import PALETTE, part_cfg, semi_dataset_cfg
from torch.utils.data import DataLoader

from mmseg_tsf.datasets import SemiInfiniteSampler
from mmseg_tsf.utils.errors import UserError


def build(root, **options):
    return DATASETS.build(semi_dataset_cfg(root, **options))


def build_seeded(root, seed: int = 3, **options):
    """Data set and sampler as a run has them."""
    dataset = build(root, **options)
    return dataset, SemiInfiniteSampler(dataset, seed=seed)


def take(sampler, num: int) -> list[int]:
    iterator = iter(sampler)
    return [next(iterator) for _ in range(num)]


def same(a: dict, b: dict) -> bool:
    """Whether two items are equal to the last pixel, labels and meta information included."""
    return all(
        torch.equal(a['inputs'][k], b['inputs'][k])
        and torch.equal(a['data_samples'][k].gt_sem_seg.data, b['data_samples'][k].gt_sem_seg.data)
        and a['data_samples'][k].img_path == b['data_samples'][k].img_path
        for k in a['inputs'] | b['inputs']
    )


def test_an_item_has_the_branches_of_the_contract(data_root):
    views = dict(strong=[dict(type='PhotoMetricDistortion')])
    dataset = build(data_root, paste_prob=1.0, views=views)
    assert dataset.branches == ('labelled', 'unlabelled', 'strong', 'paste')
    assert len(dataset) == 7
    assert dataset.metainfo['classes'] == ('road', 'sky', 'car', 'pole')
    item = dataset[2]
    assert tuple(item['inputs']) == tuple(item['data_samples']) == dataset.branches
    names = (data_root / 'unlabelled.txt').read_text().split()
    for branch, image in item['inputs'].items():
        sample = item['data_samples'][branch]
        assert image.shape == (3, SIZE, SIZE)
        assert sample.gt_sem_seg.data.shape == (1, SIZE, SIZE)
        if branch in ('unlabelled', 'strong'):
            assert sample.img_path.endswith(f'{names[2]}.png')
            assert sample.pool_idx == 2
            assert (sample.gt_sem_seg.data == 255).all()
        else:
            check_label_fits_image(image, sample)


def check_label_fits_image(image, sample) -> None:
    """Colours follow classes, so image and mask were cropped and flipped alike."""
    colours = torch.tensor(PALETTE).flip(1).view(4, 3, 1, 1)  # images are loaded as BGR
    nearest = (image.unsqueeze(0) - colours).abs().sum(dim=1).argmin(dim=0)
    assert torch.equal(nearest, sample.gt_sem_seg.data.squeeze(0).long())


def test_views_share_the_crop_and_differ_in_colour(data_root):
    invert = dict(type='PhotoMetricDistortion', contrast_range=(0.1, 0.2))
    dataset, sampler = build_seeded(data_root, views=dict(strong=[invert], plain=[]))
    differ = 0
    for index in take(sampler, 7):
        item = dataset[index]
        assert torch.equal(item['inputs']['unlabelled'], item['inputs']['plain'])
        differ += not torch.equal(item['inputs']['unlabelled'], item['inputs']['strong'])
    assert differ >= 4


def test_masks_of_unlabelled_images_are_never_opened(own_data_root):
    expected = build(own_data_root, seed=1)[7 + 3]
    for name in (own_data_root / 'unlabelled.txt').read_text().split():
        (own_data_root / 'ann' / f'{name}.png').unlink()
    item = build(own_data_root, seed=1)[7 + 3]
    assert same(item, expected)
    partner = build(own_data_root, seed=1).load_partner(0, 2, (5, 1))
    assert (partner['data_samples']['partner'].gt_sem_seg.data == 255).all()


@TRANSFORMS.register_module(force=True)
class LoadsMasksLikewise(LoadAnnotations):
    """Somebody's own loader."""


@pytest.mark.parametrize(
    'kind', ['mmseg.LoadAnnotations', LoadAnnotations, 'LoadsMasksLikewise', 'mmcv.LoadAnnotations']
)
def test_nor_are_they_by_any_other_name(data_root, kind):
    pipeline = part_cfg(data_root, 'unlabelled.txt')['pipeline']
    pipeline[1] = dict(type=kind)
    dataset = build(data_root, unlabelled=part_cfg(data_root, 'unlabelled.txt', pipeline))
    for i in range(len(dataset)):
        assert (dataset[i]['data_samples']['unlabelled'].gt_sem_seg.data == 255).all()


def test_a_hidden_loader_is_refused(data_root):
    pipeline = part_cfg(data_root, 'unlabelled.txt')['pipeline']
    pipeline[1] = dict(type='RandomChoice', transforms=[[pipeline[1]]])
    with pytest.raises(UserError, match='a LoadAnnotations inside its RandomChoice'):
        build(data_root, unlabelled=part_cfg(data_root, 'unlabelled.txt', pipeline))


def test_manual_pixels_of_unlabelled_images_travel_with_the_crop(own_data_root):
    folder = own_data_root / 'manual'
    folder.mkdir()
    truth = np.asarray(Image.open(own_data_root / 'ann' / 'frame_6.png'))
    manual = np.where(np.arange(48) % 3 == 0, truth, 255).astype(np.uint8)
    Image.fromarray(manual).save(folder / 'frame_6.png')
    dataset = build(own_data_root, seed=1, manual_labels=str(folder))
    assert '/frame_6.' in dataset.unlabelled.get_data_info(1)['img_path']
    for index in range(7):
        sample = dataset[7 + index]['data_samples']['unlabelled']
        labels = sample.gt_sem_seg.data[0].numpy()
        given = labels != 255
        assert given.any() == (index == 1)
        if index == 1:
            assert abs(given.mean() - 1 / 3) < 0.05
            image = dataset[7 + index]['inputs']['unlabelled'].numpy()
            colours = np.asarray(PALETTE)[:, ::-1].T[:, :, None, None]  # the image is BGR
            distance = np.abs(image[:, None].astype(int) - colours).sum(axis=0)
            assert (distance.argmin(axis=0)[given] == labels[given]).all()


def manual_folder(root, names):
    folder = root / 'manual'
    folder.mkdir()
    for name in names:
        manual = np.full((40, 48), 255, np.uint8)
        manual[::2, ::2] = np.asarray(Image.open(root / 'ann' / f'{name}.png'))[::2, ::2]
        Image.fromarray(manual).save(folder / f'{name}.png')
    return str(folder)


def test_partly_labelled_images_are_dealt_among_the_labelled(own_data_root):
    dataset = build(own_data_root, seed=1, supervise_manual=True)
    before = [dataset[7 + i]['data_samples']['labelled'].img_path for i in range(7)]
    assert all(int(number_of(path)) < 5 for path in before)
    dataset.set_manual_labels(manual_folder(own_data_root, ['frame_6', 'frame_9']))
    samples = [dataset[7 * epoch + i]['data_samples'] for epoch in (1, 2) for i in range(7)]
    seen = {number_of(s['labelled'].img_path): s['labelled'].gt_sem_seg.data for s in samples}
    assert set(seen) == {'0', '1', '2', '3', '4', '6', '9'}
    for name, labels in seen.items():
        share = float((labels != 255).float().mean())
        assert abs(share - (0.25 if name in '69' else 1)) < 0.06
    dataset.set_manual_labels(None)
    again = [dataset[7 + i]['data_samples']['labelled'].img_path for i in range(7)]
    assert again == before


def number_of(path):
    return path.rsplit('frame_', 1)[1].split('.')[0]


def test_a_pool_is_not_loaded_where_nobody_trains_on_it(own_data_root):
    dataset = build(own_data_root, seed=1, supervise_manual=True, pool_only=True)
    assert dataset.branches == ('labelled',)
    assert set(dataset[7]['inputs']) == {'labelled'} and len(dataset) == 7


def test_the_image_to_paste_from_may_have_a_pipeline_of_its_own(data_root):
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='Resize', scale=(10, 10)),
        dict(type='PackSegInputs'),
    ]
    dataset, sampler = build_seeded(data_root, paste_prob=1.0, paste_pipeline=steps)
    plain, _ = build_seeded(data_root, paste_prob=1.0)
    for index in take(sampler, 4):
        own, other = dataset[index]['inputs'], plain[index]['inputs']
        assert own['paste'].shape[1] <= 10 and other['paste'].shape[1:] == (SIZE, SIZE)
        assert torch.equal(own['labelled'], other['labelled'])


def test_chances_are_shares(data_root):
    with pytest.raises(UserError, match=r'SemiDataset.paste_prob=5 must lie in \[0, 1\]'):
        build(data_root, paste_prob=5)


def test_pool_options_need_a_pool(data_root):
    with pytest.raises(UserError, match='supervise_manual needs SemiDataset.unlabelled'):
        build(data_root, unlabelled=None, supervise_manual=True)


def test_manual_labels_must_fit(own_data_root):
    with pytest.raises(UserError, match='manual_labels=.* is not a folder'):
        build(own_data_root, manual_labels=str(own_data_root / 'nothing'))
    folder = own_data_root / 'manual'
    folder.mkdir()
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(folder / 'frame_5.png')
    with pytest.raises(UserError, match=r'frame_5.png is 5x4 pixels, its image 48x40'):
        build(own_data_root, manual_labels=str(folder))
    dataset = build(own_data_root, seed=1, manual_labels=str(folder), check_files=False)
    with pytest.raises(UserError, match=r'frame_5.png have shape \(4, 5\)'):
        dataset[7]


@pytest.mark.parametrize('epoch', [1, 2, 9])
def test_labelled_images_are_dealt_evenly_in_every_epoch(data_root, epoch):
    dataset, _ = build_seeded(data_root)
    paths = [dataset[epoch * 7 + i]['data_samples']['labelled'].img_path for i in range(7)]
    counts = Counter(paths)
    assert len(counts) == 5
    assert sorted(counts.values()) == [1, 1, 1, 2, 2]


def test_pairs_change_from_epoch_to_epoch(data_root):
    dataset, _ = build_seeded(data_root)
    pairs = [
        tuple(dataset[epoch * 7 + i]['data_samples']['labelled'].img_path for i in range(7))
        for epoch in (1, 2, 3)
    ]
    assert len(set(pairs)) == 3


def test_an_item_is_a_function_of_seed_and_position(data_root):
    views = dict(strong=[dict(type='PhotoMetricDistortion')])
    first, sampler = build_seeded(data_root, paste_prob=0.5, views=views)
    indices = take(sampler, 14)
    items = {index: first[index] for index in indices}
    second, _ = build_seeded(data_root, paste_prob=0.5, views=views)
    np.random.seed(99)  # what a worker has drawn before must not matter
    for index in reversed(indices):
        np.random.rand(3)
        assert same(second[index], items[index])
    other, _ = build_seeded(data_root, seed=4, paste_prob=0.5, views=views)
    assert not any(same(other[index], items[index]) for index in indices)
    # the same image in the next epoch is cropped anew
    again = [same(items[index], items[index + 7]) for index in indices if index + 7 in items]
    assert len(again) == 7
    assert not any(again)


def test_loading_leaves_the_global_generators_alone(data_root):
    dataset, _ = build_seeded(data_root, paste_prob=0.5)
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    dataset[8]
    assert np.random.rand() == expected


@pytest.mark.parametrize('num_workers', [1, 2])
def test_workers_change_nothing(data_root, num_workers):
    def load(workers):
        dataset, sampler = build_seeded(data_root, paste_prob=0.5)
        loader = DataLoader(
            dataset, batch_size=2, sampler=sampler, num_workers=workers, collate_fn=pseudo_collate
        )
        batches = iter(loader)
        return [next(batches)['inputs'] for _ in range(5)]

    for a, b in zip(load(0), load(num_workers), strict=True):
        assert a.keys() == b.keys()
        for branch in a:
            for x, y in zip(a[branch], b[branch], strict=True):
                assert torch.equal(x, y)


@pytest.mark.parametrize(
    'sampler', [lambda d: DefaultSampler(d, seed=0), lambda d: InfiniteSampler(d, seed=0)]
)
def test_stock_samplers_work_and_shuffle(data_root, sampler):
    dataset = build(data_root, paste_prob=0.5)
    loader = iter(
        DataLoader(dataset, batch_size=2, sampler=sampler(dataset), collate_fn=pseudo_collate)
    )
    seen = []
    np.random.seed(0)
    for _ in range(3):
        batch = next(loader)
        assert [len(images) for images in batch['inputs'].values()] == [2, 2, 2]
        seen += [sample.pool_idx for sample in batch['data_samples']['unlabelled']]
    assert len(set(seen)) == 6  # one pass shows no image twice
    np.random.seed(0)
    a = dataset[0]
    np.random.seed(0)
    assert same(a, dataset[0])  # the randomness is the worker's
    assert not all(same(a, dataset[0]) for _ in range(4))


@pytest.mark.parametrize('probability', [0.0, 0.3, 1.0])
def test_paste_branch_comes_with_its_probability(data_root, probability):
    dataset, sampler = build_seeded(data_root, paste_prob=probability)
    given, paths = 0, set()
    indices = take(sampler, 140)
    for index in indices:
        sample = dataset[index]['data_samples']['paste']
        if (sample.gt_sem_seg.data != 255).any():
            given += 1
            paths.add(sample.img_path)
    assert abs(given / len(indices) - probability) < 0.12  # 3 standard deviations
    assert len(paths) == (5 if probability else 0)


def test_partners_are_functions_of_seed_and_key(data_root):
    dataset, _ = build_seeded(data_root, views=dict(strong=[dict(type='PhotoMetricDistortion')]))
    partner = dataset.load_partner(4, 2, (10, 1))
    assert set(partner['inputs']) == {'partner', 'partner_strong'}
    assert partner['data_samples']['partner'].pool_idx == 4
    assert partner['data_samples']['partner_strong'].cutmix_class == 2
    assert same(partner, dataset.load_partner(4, 2, (10, 1)))
    others = [dataset.load_partner(4, 2, (10, i)) for i in range(2, 7)]
    assert not all(
        torch.equal(partner['inputs']['partner'], o['inputs']['partner']) for o in others
    )


def test_supervised_data_has_the_length_of_the_labelled_list(data_root):
    dataset, _ = build_seeded(data_root, unlabelled=None)
    assert dataset.branches == ('labelled',)
    assert len(dataset) == 5
    paths = {dataset[5 + i]['data_samples']['labelled'].img_path for i in range(5)}
    assert len(paths) == 5
