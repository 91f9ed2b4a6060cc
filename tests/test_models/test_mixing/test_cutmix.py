"""Rectangles, their masks, and mixing by a mask."""

import math

import pytest
import torch

from mmseg_tsf.models.mixing.cutmix import BatchCutMix, box_mask, mix, random_boxes
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
