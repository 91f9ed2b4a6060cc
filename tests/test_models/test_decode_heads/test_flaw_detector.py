"""The flaw detector, and what it learns, against plain loops in float64."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from mmseg_tsf.models.decode_heads.flaw_detector import (
    FlawDetector,
    HalfInstanceNorm,
    blur,
    flaw_target,
    handled,
)


def gaussian(size: int) -> np.ndarray:
    """The kernel by its definition."""
    size = size if size % 2 else size + 1
    sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    offsets = np.arange(size) - size // 2
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    return kernel / kernel.sum()


def blurred(image: np.ndarray, size: int) -> np.ndarray:
    """Blur by rows and columns; 'mirror' is torch's reflect."""
    for axis in (0, 1):
        image = scipy.ndimage.correlate1d(image, gaussian(size), axis=axis, mode='mirror')
    return image


@pytest.mark.parametrize('size', [3, 4, 8])
def test_blur(size):
    values = torch.rand(2, 20, 24, generator=torch.Generator().manual_seed(0))
    for own, reference in zip(blur(values, size), values.double().numpy(), strict=True):
        np.testing.assert_allclose(own.numpy(), blurred(reference, size), atol=1e-6)


def test_blur_is_as_exact_under_autocast():
    values = torch.rand(2, 20, 24, generator=torch.Generator().manual_seed(0))
    with torch.autocast('cpu', torch.bfloat16):
        found = blur(values, 5)
        low = blur(values.bfloat16(), 5)
    assert torch.equal(found, blur(values, 5))
    assert low.dtype == torch.float32


def test_target_is_the_smoothed_error_and_void_is_no_flaw():
    generator = torch.Generator().manual_seed(0)
    probs = torch.randn(2, 4, 32, 32, generator=generator).mul(3).softmax(dim=1)
    labels = torch.randint(4, (2, 32, 32), generator=generator)
    labels[0, :10] = 255
    found = flaw_target(probs, labels, scale=0.5, dilation=1.0)
    for n in range(2):
        error = np.zeros((32, 32))
        for y in range(32):
            for x in range(32):
                label = int(labels[n, y, x])
                if label != 255:
                    p = probs[n, :, y, x].double().numpy()
                    error[y, x] = 0.5 * sum(abs((k == label) - p[k]) for k in range(4))
        wide = scipy.ndimage.maximum_filter(blurred(error, 4), size=3, mode='constant', cval=-1)
        target = blurred(wide, 8)
        target = (target - target.min()) / (target.max() - target.min())
        np.testing.assert_allclose(found[n].numpy(), target, atol=1e-5)


def test_handled_maps_are_clipped_blurred_and_stretched_or_empty():
    flaws = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0))
    flaws[1] *= 0.01
    before = flaws.clone()
    found = handled(flaws)
    assert torch.equal(flaws, before)  # the detector's own loss sees the map as it was
    assert (found[1] == 0).all()
    for n in (0, 2):
        reference = blurred(np.maximum(flaws[n].double().numpy(), 0), 2)
        reference = (reference - reference.min()) / (reference.max() - reference.min())
        np.testing.assert_allclose(found[n].numpy(), reference, atol=1e-5)


def test_half_of_the_channels_are_normalised_by_batch_and_half_by_instance():
    norm = HalfInstanceNorm(5)
    features = torch.randn(4, 5, 6, 6, generator=torch.Generator().manual_seed(0)) * 3 + 1
    found = norm(features)
    assert len(norm.batch.weight) == 2 and norm.instance.weight is None
    torch.testing.assert_close(found[:, :2].mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[:, 2:].mean(dim=(2, 3)), torch.zeros(4, 3), atol=1e-5, rtol=0)
    assert found[:, :2].mean(dim=(2, 3)).abs().max() > 1e-2


@pytest.mark.parametrize('size', [(24, 40), (70, 96)])
def test_maps_have_the_size_of_the_images(size):
    detector = FlawDetector(num_classes=4, channels=4)
    found = detector(torch.randn(2, 3, *size), torch.rand(2, 4, *size))
    assert found.shape == (2, *size)


def test_layers_are_those_that_were_published():
    detector = FlawDetector(num_classes=19)
    convolutions = [m for m in detector.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 128, 128, 256, 256, 512, 512, 1]
    assert [m.stride[0] for m in convolutions] == [2, 2, 1, 2, 1, 2, 1, 2]
    assert convolutions[0].in_channels == 3 + 19
    assert {(m.kernel_size, m.padding) for m in convolutions} == {((4, 4), (1, 1))}
