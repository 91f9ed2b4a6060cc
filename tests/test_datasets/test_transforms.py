"""``RandomGaussianBlur`` against scipy's filter."""

import numpy as np
import pytest
import scipy.ndimage

from mmseg_tsf.datasets import RandomGaussianBlur


def test_blur_is_gaussian_and_comes_with_its_probability():
    image = np.random.default_rng(0).uniform(0, 255, (40, 50, 3)).astype(np.float32)
    blur = RandomGaussianBlur(prob=1.0, sigma=(1.5, 1.5))
    found = blur.transform(dict(img=image))['img']
    for channel in range(3):
        expected = scipy.ndimage.gaussian_filter(image[..., channel], 1.5, mode='mirror')
        np.testing.assert_allclose(found[..., channel], expected, atol=1.0)
    np.random.seed(0)
    blur, changed = RandomGaussianBlur(prob=0.3, sigma=(1.0, 2.0)), 0
    for _ in range(300):
        changed += not np.array_equal(blur.transform(dict(img=image))['img'], image)
    assert changed / 300 == pytest.approx(0.3, abs=0.08)
