"""The generated street: reproducible, complete, and rare where it should be."""

import hashlib

import numpy as np
import pytest
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_tsf.demo.data_set import PALETTE, DemoStreetDataset, generate
from mmseg_tsf.demo.street_scene.canvas import CLASSES, VOID
from mmseg_tsf.demo.street_scene.mood import draw_weather
from mmseg_tsf.demo.street_scene.scene import render
from mmseg_tsf.utils.errors import UserError

RARE = ('person', 'pole', 'sign')
COMMON = ('sky', 'building', 'road', 'pavement', 'tree', 'car')


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def stems(root, split):
    return (root / 'splits' / f'{split}.txt').read_text().split()


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('street')
    generate(folder, num_train=24, num_val=8, size=(96, 128), seed=0, num_labelled=6)
    return folder


@pytest.fixture(scope='module')
def labels(root):
    return np.stack([np.array(Image.open(path)) for path in sorted(root.rglob('ann_dir/*/*.png'))])


def test_same_seed_gives_the_same_bytes(root, tmp_path):
    generate(tmp_path, num_train=24, num_val=8, size=(96, 128), seed=0, num_labelled=6)
    assert digests(tmp_path) == digests(root)


def test_other_seed_gives_other_pictures(root, tmp_path):
    generate(tmp_path, num_train=2, num_val=1, seed=1, num_labelled=1)
    other, first = digests(tmp_path), digests(root)
    pictures = [name for name in other if name.endswith('.png')]
    assert len(pictures) == 6
    assert all(other[name] != first[name] for name in pictures)


def test_a_picture_does_not_depend_on_how_many_are_drawn(root, tmp_path):
    generate(tmp_path, num_train=3, num_val=2, seed=0, num_labelled=1)
    few, many = digests(tmp_path), digests(root)
    pictures = [name for name in few if name.endswith('.png')]
    assert len(pictures) == 10
    assert all(few[name] == many[name] for name in pictures)


def test_pictures_differ_within_a_set(root):
    images = [path.read_bytes() for path in root.rglob('img_dir/*/*.png')]
    assert len(images) == 32
    assert len(set(images)) == 32


def test_ids_are_classes_or_void(labels):
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {*range(len(CLASSES)), VOID}


def test_rare_classes_are_rare_and_common_ones_common(labels):
    counts = np.bincount(labels.ravel(), minlength=256)
    share = dict(zip(CLASSES, counts[: len(CLASSES)] / counts.sum(), strict=True))
    assert all(0.001 < share[name] < 0.02 for name in RARE), share
    assert all(share[name] > 0.03 for name in COMMON), share
    assert counts[VOID] / counts.sum() < 0.05
    for name in RARE:
        shown = (labels == CLASSES.index(name)).any((1, 2)).mean()
        assert 0.25 < shown < 0.98, (name, shown)


def test_colour_alone_does_not_give_the_class(root, labels):
    """The best class per coarse colour, fitted on the very same pixels, is often wrong."""
    paths = sorted(root.rglob('img_dir/*/*.png'))
    images = np.stack([np.array(Image.open(path)) for path in paths])
    valid = labels != VOID
    colour = (images[valid] // 32).astype(int) @ np.array([64, 8, 1])
    table = np.zeros((512, len(CLASSES)), int)
    np.add.at(table, (colour, labels[valid]), 1)
    correct = table.argmax(1)[colour] == labels[valid]
    assert correct.mean() < 0.65
    recalls = [correct[labels[valid] == index].mean() for index in range(len(CLASSES))]
    assert np.mean(recalls) < 0.4


def test_size_is_height_and_width():
    image, label = render(np.random.default_rng(3), (40, 72))
    assert image.shape == (40, 72, 3) and image.dtype == np.uint8
    assert label.shape == (40, 72) and label.dtype == np.uint8


def test_lists_split_the_training_pictures(root):
    labelled, unlabelled = stems(root, 'labelled'), stems(root, 'unlabelled')
    assert len(labelled) == 6
    assert not set(labelled) & set(unlabelled)
    assert sorted(labelled + unlabelled) == stems(root, 'train')
    assert labelled == sorted(labelled) and unlabelled == sorted(unlabelled)
    assert stems(root, 'val') == [f'val_{index:04d}' for index in range(8)]


def weather_of(name):
    split, index = name.split('_')
    return draw_weather(np.random.default_rng((0, ('train', 'val').index(split), int(index))))


def test_labelled_pictures_are_sunny_and_the_others_of_any_weather(root):
    assert {weather_of(name) for name in stems(root, 'labelled')} == {'sunny'}
    for split in ('unlabelled', 'val'):
        assert len({weather_of(name) for name in stems(root, split)}) > 3


def test_more_labelled_than_sunny_pictures(tmp_path):
    generate(tmp_path, num_train=6, num_val=1, size=(24, 32), num_labelled=5)
    kinds = [weather_of(f'train_{index:04d}') for index in range(6)]
    labelled = stems(tmp_path, 'labelled')
    assert len(labelled) == 5
    assert [weather_of(name) for name in labelled].count('sunny') == kinds.count('sunny') < 5


def test_labelled_pictures_of_any_weather(tmp_path):
    generate(tmp_path, 12, 1, size=(24, 32), num_labelled=8, labelled_weather=None)
    order = np.random.default_rng((0, 2)).permutation(12)[:8]
    assert stems(tmp_path, 'labelled') == sorted(f'train_{index:04d}' for index in order)


def test_default_labelled_pictures_show_every_class():
    order = np.random.default_rng((0, 2)).permutation(160)
    chosen = [index for index in order if weather_of(f'train_{index}') == 'sunny'][:10]
    seen = [np.unique(render(np.random.default_rng((0, 0, index)))[1]) for index in chosen]
    assert set(range(len(CLASSES))) <= set(np.concatenate(seen))


def test_more_labelled_pictures_than_there_are_is_an_error(tmp_path):
    with pytest.raises(UserError, match='num_labelled must be in 1..4, got 5'):
        generate(tmp_path, num_train=4, num_val=1, num_labelled=5)
    assert not list(tmp_path.iterdir())


def test_masks_carry_the_palette(root):
    mask = Image.open(root / 'ann_dir' / 'val' / 'val_0000.png')
    assert mask.mode == 'P'
    colours = np.array(mask.getpalette('RGB')).reshape(-1, 3)
    assert colours[: len(PALETTE)].tolist() == PALETTE
    assert colours[VOID].tolist() == [255, 255, 255]


def test_data_set_reads_pairs(root):
    dataset = DATASETS.build(
        dict(
            type='DemoStreetDataset',
            data_root=str(root),
            data_prefix=dict(img_path='img_dir/train', seg_map_path='ann_dir/train'),
            ann_file='splits/labelled.txt',
            pipeline=[dict(type='LoadImageFromFile'), LoadAnnotations()],
        )
    )
    assert isinstance(dataset, DemoStreetDataset)
    assert len(dataset) == 6
    assert dataset.metainfo['classes'] == CLASSES
    assert len(dataset.metainfo['palette']) == len(CLASSES)
    sample = dataset[0]
    name = stems(root, 'labelled')[0]
    stored = np.array(Image.open(root / 'img_dir' / 'train' / f'{name}.png'))
    assert np.array_equal(sample['img'], stored[..., ::-1])
    mask = np.array(Image.open(root / 'ann_dir' / 'train' / f'{name}.png'))
    assert np.array_equal(sample['gt_seg_map'], mask)
