"""The pool: names, sizes, and that nothing leads to its ground truth."""

import numpy as np
import pytest
from PIL import Image
from query_runs import FakeLabels, make_pool

from mmseg_tsf.active_learning.pool.pool import PoolImage
from mmseg_tsf.utils.errors import UserError

FLIP = dict(type='RandomFlip', prob=1.0)


def test_names_and_sizes(own_data_root):
    Image.new('RGB', (30, 20)).save(own_data_root / 'img' / 'frame_5.png')
    pool = make_pool(own_data_root)
    assert len(pool) == 7
    assert pool.image_id(0) == 'frame_5'
    assert pool.size(0) == (20, 30)
    assert pool.size(1) == (40, 48)


def test_names_below_folders_have_no_suffix(own_data_root):
    folder = own_data_root / 'img' / 'aachen'
    folder.mkdir()
    Image.new('RGB', (8, 8)).save(folder / 'x_000_leftImg8bit.png')
    (own_data_root / 'one.txt').write_text('aachen/x_000\n')
    pool = make_pool(own_data_root, ann_file='one.txt', img_suffix='_leftImg8bit.png')
    assert pool.image_id(0) == 'aachen/x_000'
    assert pool.image(0).path == str(folder / 'x_000_leftImg8bit.png')


def test_loading_is_not_told_where_masks_are(data_root):
    data = make_pool(data_root).load(2)
    assert data['inputs'].shape == (3, 40, 48)
    assert 'gt_sem_seg' not in data['data_samples']
    assert 'seg_map_path' not in data['data_samples'].metainfo


@pytest.mark.parametrize(
    ('step', 'message'),
    [
        (dict(type='LoadAnnotations'), 'has LoadAnnotations, which would read the ground truth'),
        (dict(type='RandomFlip', prob=0.5), 'has RandomFlip, after which a pixel cannot be'),
        (dict(type='RandomCrop', crop_size=(8, 8)), 'has RandomCrop, after which'),
        (dict(type='RandomApply', transforms=[FLIP], prob=0.5), 'has RandomFlip, after which'),
        (dict(type='RandomChoice', transforms=[[], [FLIP]]), 'has RandomFlip, after which'),
        (
            dict(type='RandomApply', transforms=[dict(type='LoadAnnotations')]),
            'has LoadAnnotations, which',
        ),
        (dict(type='TestTimeAug', transforms=[[dict(type='Resize', scale=8)]]), 'TestTimeAug'),
    ],
)
def test_pipelines_that_read_masks_or_move_pixels_are_refused(data_root, step, message):
    with pytest.raises(UserError, match=message):
        make_pool(data_root, steps=(step,))


def test_images_outside_of_their_folder_are_refused(own_data_root):
    (own_data_root / 'outside.txt').write_text('frame_5\n../ann/frame_6\n')
    with pytest.raises(UserError, match=r'image \.\./ann/frame_6 of the pool lies outside'):
        make_pool(own_data_root, ann_file='outside.txt')


def test_an_image_that_is_too_large_is_named(own_data_root, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 40 * 48 // 2 - 1)
    with pytest.raises(UserError, match='frame_6.png is too large .*: cut it into tiles'):
        make_pool(own_data_root).size(1)


def test_an_empty_pool_is_refused(own_data_root):
    (own_data_root / 'none.txt').write_text('')
    with pytest.raises(UserError, match='the pool has no image: correct its ann_file'):
        make_pool(own_data_root, ann_file='none.txt', serialize_data=False)


def test_a_file_that_is_no_image_is_named(own_data_root):
    (own_data_root / 'img' / 'frame_6.png').write_text('no image')
    with pytest.raises(UserError, match=r'frame_6.png cannot be read: replace it'):
        make_pool(own_data_root).size(1)


def test_what_is_known_comes_with_the_image(data_root):
    labels = FakeLabels()
    pool = make_pool(data_root, labels)
    assert pool.image(0).taken is None
    assert pool.image(0).free.all()
    asked = np.zeros((40, 48), bool)
    asked[3, 4] = True
    manual = np.full((40, 48), 255, np.uint8)
    manual[5, 6] = 1
    labels.masks['frame_5'], labels.labels['frame_5'] = asked, manual
    image = pool.image(0)
    assert sorted(zip(*image.taken.nonzero(), strict=True)) == [(3, 4), (5, 6)]
    assert np.array_equal(image.free, ~image.taken)
    labels.masks['frame_5'] = asked[:10]
    with pytest.raises(UserError, match=r'the asked mask of frame_5 is \(10, 48\), its image'):
        pool.image(0)


def test_masks_without_a_pixel_are_nothing():
    image = PoolImage(0, 'a', (2, 2), asked=np.zeros((2, 2), bool))
    assert image.taken is None
