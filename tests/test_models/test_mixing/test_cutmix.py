"""Rectangles, their masks, and mixing by a mask."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from mmseg_tsf.models.mixing.cutmix import (
    BatchCutMix,
    box_mask,
    check_cutmix,
    mix,
    random_boxes,
)
from mmseg_tsf.utils.errors import UserError


def test_one_box_covers_the_share_asked_for_and_stays_inside():
    torch.manual_seed(0)
    boxes = random_boxes(2000, area=(0.5, 0.5))
    top, left, bottom, right = boxes.squeeze(1).unbind(-1)
    torch.testing.assert_close((bottom - top) * (right - left), torch.full((2000,), 0.5))
    assert boxes.min() >= 0
    assert boxes.max() <= 1 + 1e-6
    # the aspect is random: the height's share is log-uniform on [0.5, 1]
    assert float((bottom - top).log().mean()) == pytest.approx(math.log(0.5) / 2, abs=0.01)
    # the place, too: free room is used from end to end
    free = top / (1 - (bottom - top)).clamp(min=1e-6)
    assert float(free.mean()) == pytest.approx(0.5, abs=0.03)


def test_several_boxes_share_an_area_drawn_from_the_range():
    torch.manual_seed(0)
    top, left, bottom, right = random_boxes(2000, num_boxes=3, area=(0.25, 0.5)).unbind(-1)
    share = 3 * (bottom - top) * (right - left)  # what all three would cover side by side
    assert share.min() >= 0.25 - 1e-6
    assert share.max() <= 0.5 + 1e-6
    assert float(share.mean()) == pytest.approx(0.375, abs=0.005)


def test_mask_is_the_union_of_the_boxes_by_pixel_centres():
    boxes = torch.tensor(
        [[[0.0, 0.0, 0.5, 0.25], [0.5, 0.5, 1.0, 1.0]], [[0.0, 0.0, 0.0, 0.0]] * 2]
    )
    mask = box_mask(boxes, (4, 8))
    expected = torch.zeros(2, 4, 8, dtype=torch.bool)
    expected[0, :2, :2] = True
    expected[0, 2:, 4:] = True
    assert torch.equal(mask, expected)
    # a centre on neither side: 0.3 * 4 = 1.2 pixels hold the centre 0.5 alone
    assert box_mask(torch.tensor([[[0.0, 0.0, 0.3, 1.0]]]), (4, 4)).sum(dim=(1, 2)).item() == 4


def test_mask_covers_what_the_boxes_cover():
    torch.manual_seed(1)
    mask = box_mask(random_boxes(300, area=(0.5, 0.5)), (64, 48))
    assert float(mask.float().mean()) == pytest.approx(0.5, abs=0.005)


def test_mix_takes_the_source_inside_the_mask_for_maps_and_images():
    mask = torch.tensor([[[True, False], [False, True]]])
    target, source = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    assert mix(mask, target, source).tolist() == [[[1, 0], [0, 1]]]
    images = mix(mask, target.expand(1, 3, 2, 2), source.expand(1, 3, 2, 2))
    assert images.tolist() == [[[[1, 0], [0, 1]]] * 3]
    assert mix(mask, target.bool(), source.bool()).dtype == torch.bool


def test_batch_cutmix_mixes_all_with_its_neighbour_by_one_mask():
    torch.manual_seed(2)
    images = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 3, 16, 16)
    mixed = BatchCutMix(images, num_boxes=2, area=(0.4, 0.6))
    result = mixed(images)[:, 0]
    own = images[:, 0]
    assert torch.equal(result, torch.where(mixed.mask, (own - 1) % 3, own))
    assert torch.equal(mixed(own.long()), result.long())
    assert 0 < int(mixed.mask.sum()) < mixed.mask.numel()


def test_batch_cutmix_needs_two_images():
    with pytest.raises(UserError, match='set train_dataloader.batch_size to 2 or more'):
        BatchCutMix(torch.zeros(1, 3, 8, 8))


class TestBoxesOfGivenAspect:
    """UniMatch's boxes: area and aspect uniform, redrawn where the box leaves the image."""

    def test_area_aspect_and_place(self):
        torch.manual_seed(0)
        boxes = random_boxes(4000, area=(0.02, 0.4), aspect=(0.3, 1 / 0.3)).squeeze(1).double()
        top, left, bottom, right = boxes.unbind(dim=1)
        assert boxes.min() >= 0 and boxes.max() <= 1
        height, width = bottom - top, right - left
        area, aspect = height * width, height / width
        assert area.min() >= 0.02 - 1e-6 and area.max() <= 0.4 + 1e-6
        assert aspect.min() >= 0.3 - 1e-4 and aspect.max() <= 1 / 0.3 + 1e-4

    def test_distribution_is_that_of_redrawing_one_by_one(self):
        torch.manual_seed(0)
        boxes = random_boxes(4000, area=(0.02, 0.4), aspect=(0.3, 1 / 0.3)).squeeze(1).numpy()
        generator = np.random.default_rng(0)
        expected = []
        while len(expected) < 4000:
            area, aspect = generator.uniform(0.02, 0.4), generator.uniform(0.3, 1 / 0.3)
            top, left = generator.uniform(size=2)
            height, width = np.sqrt(area * aspect), np.sqrt(area / aspect)
            if top + height <= 1 and left + width <= 1:
                expected.append((top, left, top + height, left + width))
        for own, reference in zip(boxes.T, np.array(expected).T, strict=True):
            assert scipy.stats.ks_2samp(own, reference).pvalue > 1e-3


def test_only_a_share_of_the_images_is_mixed():
    torch.manual_seed(0)
    images = torch.zeros(400, 3, 8, 8)
    mixed = BatchCutMix(images, probability=0.3).mask.flatten(1).any(dim=1)
    assert 0.2 < mixed.float().mean() < 0.4


def test_maps_of_another_size_are_mixed_by_the_nearest_mask():
    torch.manual_seed(0)
    mixed = BatchCutMix(torch.zeros(2, 3, 16, 16))
    small = torch.arange(2.0).view(2, 1, 1).expand(2, 4, 4)
    result = mixed(small)
    for n in range(2):
        for y in range(4):
            for x in range(4):
                is_pasted = bool(mixed.mask[n, 4 * y, 4 * x])
                assert float(result[n, y, x]) == (1 - n if is_pasted else n)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(aspect=(0.0, 1.0)), r'cutmix.aspect=\(0.0, 1.0\) must be'),
        (dict(probability=0.0), r'cutmix.probability=0.0 must lie in \(0, 1\]'),
    ],
)
def test_wrong_boxes_of_a_given_aspect(options, message):
    with pytest.raises(UserError, match=message):
        check_cutmix(options)
