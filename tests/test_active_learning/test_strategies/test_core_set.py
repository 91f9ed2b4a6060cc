"""Core-set against scikit-learn's distances and a plain greedy loop."""

import numpy as np
import pytest
import torch
from query_runs import FakeLabels, make_model, make_pool
from sklearn.metrics import pairwise_distances

from mmseg_tsf.active_learning.pool.pool_pass import preprocess
from mmseg_tsf.active_learning.pool.reader import PoolReader
from mmseg_tsf.active_learning.selection.selection import select
from mmseg_tsf.active_learning.selection.selectors import GridSelector, ImageSelector
from mmseg_tsf.active_learning.strategies.core_set import CoreSetQuery
from mmseg_tsf.models.utils.feature_tap import FeatureTap
from mmseg_tsf.utils.errors import UserError


@torch.no_grad()
def features(model, pool, index: int) -> np.ndarray:
    """``(D, h, w)`` float64 of the image without its padding."""
    model.eval()
    images, valid = preprocess(model, [PoolReader(pool, None, 0)[index]])
    with FeatureTap(model.teacher, ['decode_head.conv_seg:input']) as tap:
        model.run('teacher', images)
    shown = tap['decode_head.conv_seg:input'][0].double().numpy()
    height, width = (int(valid[0].any(axis).sum()) for axis in (1, 0))
    return shown[:, : height // 2, : width // 2]


def greedy(points: np.ndarray, centres: np.ndarray, number: int, metric: str) -> list[int]:
    distance = pairwise_distances(points, centres, metric=metric).min(axis=1)
    chosen = []
    for _ in range(number):
        chosen.append(int(distance.argmax()))
        new = pairwise_distances(points, points[chosen[-1:]], metric=metric)[:, 0]
        distance = np.minimum(distance, new)
        distance[chosen] = -1
    return chosen


@pytest.mark.parametrize('metric', ['cosine', 'euclidean'])
def test_images_are_those_of_a_plain_greedy_loop(data_root, metric):
    model, pool = make_model(), make_pool(data_root)
    labelled = make_pool(data_root, ann_file='labelled.txt')
    means = [features(model, pool, i).mean(axis=(1, 2)) for i in range(len(pool))]
    centres = [features(model, labelled, i).mean(axis=(1, 2)) for i in range(len(labelled))]
    expected = greedy(np.stack(means), np.stack(centres), 3, metric)
    query, selector = CoreSetQuery(metric), ImageSelector()
    for batch_size in (1, 3):
        more = dict(unit='images', labelled=labelled, batch_size=batch_size)
        choices = select(model, pool, query, selector, 3, **more)
        assert [choice.index for choice in choices] == sorted(expected)


def test_regions_stand_for_themselves_and_labelled_ones_are_centres(data_root):
    labels = FakeLabels()
    model, pool = make_model(), make_pool(data_root, labels)
    asked = np.zeros((40, 48), bool)
    asked[:8, 8:16] = True  # region 1 of image 4
    labels.answer(pool, {4: asked})
    points, names = [], []
    for index in range(len(pool)):
        shown = features(model, pool, index)
        for unit in range(30):
            row, column = divmod(unit, 6)
            cells = shown[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            if (index, unit) != (4, 1):
                points.append(cells.mean(axis=(1, 2)))
                names.append((index, unit))
            else:
                centre = cells.mean(axis=(1, 2))
    found = greedy(np.stack(points), centre[None], 4, 'euclidean')
    choices = select(model, pool, CoreSetQuery('euclidean'), GridSelector(8), 4, 'regions')
    chosen = [(choice.index, int(unit)) for choice in choices for unit in choice.units]
    assert sorted(chosen) == sorted(names[i] for i in found)


def test_options():
    with pytest.raises(UserError, match="metric='l1' must be 'cosine' or 'euclidean'"):
        CoreSetQuery('l1')
    with pytest.raises(UserError, match="feature tap 'neck' names no module"):
        select(make_model(), None, CoreSetQuery(features='neck'), ImageSelector(), 1, 'images')
