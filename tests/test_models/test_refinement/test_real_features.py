"""The reference of test_class_statistics.py on features of a pretrained network, where at hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from PIL import Image
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from mmseg_tsf.models.refinement import class_statistics
from mmseg_tsf.models.refinement.distances import euclidean_distances, mahalanobis_distances
from mmseg_tsf.models.utils.grid import nearest

DATA = Path(__file__).parents[3] / 'data'
WEIGHTS = DATA / 'weights/mobilenet_v2_in1k_int8dequant_mmseg.pth'
IMAGES = DATA / 'camvid/img_dir/val'


@pytest.mark.parametrize('shrinkage, estimator', [('ledoit_wolf', LedoitWolf)])
@pytest.mark.skipif(not (WEIGHTS.exists() and IMAGES.exists()), reason='data are not here')
@torch.no_grad()
def test_distances_on_camvid_equal_the_reference(shrinkage, estimator):
    init = dict(type='Pretrained', checkpoint=str(WEIGHTS))
    backbone = MODELS.build(dict(type='MobileNetV2', out_indices=(4,), init_cfg=init))
    backbone.init_weights()
    backbone.eval()
    name = sorted(IMAGES.iterdir())[0]
    image = torch.from_numpy(np.array(Image.open(name).resize((480, 360)), np.float32))
    image = (image.permute(2, 0, 1)[None] - 120) / 58
    features = torch.nn.functional.interpolate(backbone(image), (45, 60), mode='bilinear')
    mask_file = DATA / 'camvid/ann_dir/val' / f'{name.stem}.png'
    labels = nearest(torch.from_numpy(np.array(Image.open(mask_file))).long()[None], (45, 60))
    mask = torch.rand(labels.shape, generator=torch.Generator().manual_seed(0)) < 0.2
    reliable = labels.masked_fill(mask, 255)
    statistics = class_statistics(features, reliable, 11, shrinkage=shrinkage)
    first = euclidean_distances(features, statistics, mask).numpy()
    second = mahalanobis_distances(features, statistics, mask).numpy()
    vectors, flagged = features[0].double().flatten(1).t().numpy(), mask.flatten().numpy()
    expected = np.full((2, *first.shape), np.inf)
    for k in statistics.candidates[0]:
        own = vectors[(labels.flatten().numpy() == k) & ~flagged]
        mean, inverse = own.mean(axis=0, keepdims=True), estimator().fit(own).precision_
        expected[0, :, k] = cdist(vectors[flagged], mean)[:, 0]
        expected[1, :, k] = cdist(vectors[flagged], mean, 'mahalanobis', VI=inverse)[:, 0]
    expected /= np.sqrt(vectors.shape[1])
    assert len(statistics.candidates[0]) >= 4
    np.testing.assert_allclose(first, expected[0], rtol=1e-5)
    np.testing.assert_allclose(second, expected[1], rtol=1e-3)
    votes = [
        np.where(a.argmin(1) == b.argmin(1), a.argmin(1), -1)
        for a, b in ((first, second), expected)
    ]
    assert (votes[0] == votes[1]).mean() >= 0.999
