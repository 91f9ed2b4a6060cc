"""Single labelled pixels survive resizing; dense label maps are resized as by MMSeg."""

import numpy as np
import pytest
from mmseg.datasets.transforms import Resize

from mmseg_tsf.datasets.transforms import SparseLabelResize, scatter_labels


def resized(transform, labels, size):
    results = dict(img=np.zeros((*labels.shape, 3), np.uint8), gt_seg_map=labels)
    results['seg_fields'] = ['gt_seg_map']
    return transform(scale=size[::-1], keep_ratio=False)(results)['gt_seg_map']


def test_pixels_are_put_where_they_fall_by_hand():
    labels = np.full((4, 6), 255, np.uint8)
    labels[1, 5], labels[2, 0], labels[3, 1] = 7, 3, 4
    found = scatter_labels(labels, np.full((2, 3), 255, np.uint8))
    assert found.tolist() == [[255, 255, 7], [4, 255, 255]]
    kept = scatter_labels(labels, np.array([[255, 255, 1], [255, 255, 255]], np.uint8))
    assert kept[0, 2] == 1  # what MMSeg has put there stays


@pytest.mark.parametrize('size', [(20, 24), (13, 17), (80, 96), (40, 48)])
def test_no_labelled_pixel_is_lost(size):
    rng = np.random.default_rng(0)
    labels = np.full((40, 48), 255, np.uint8)
    rows, columns = np.arange(4, 40, 8), rng.integers(0, 48, 5)
    labels[rows, columns] = np.arange(5)
    assert set(np.unique(resized(SparseLabelResize, labels, size))) == {0, 1, 2, 3, 4, 255}


def test_mmseg_alone_would_lose_them():
    labels = np.full((40, 48), 255, np.uint8)
    labels[1::4, 1::4] = 2
    assert (resized(Resize, labels, (10, 12)) == 2).sum() < 120
    assert (resized(SparseLabelResize, labels, (10, 12)) == 2).sum() == 120


@pytest.mark.parametrize('size', [(20, 24), (60, 50)])
def test_dense_maps_are_resized_as_by_mmseg(size):
    labels = np.random.default_rng(1).integers(0, 5, (40, 48), dtype=np.uint8)
    expected = resized(Resize, labels.copy(), size)
    assert np.array_equal(resized(SparseLabelResize, labels, size), expected)
