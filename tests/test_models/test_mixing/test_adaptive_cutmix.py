"""Components, their boxes and the draw of partners against plain references."""

import numpy as np
import torch
from scipy import ndimage

from mmseg_tsf.models.mixing.adaptive_cutmix import (
    component_boxes,
    connected_components,
    draw_partners,
)

EIGHT = np.ones((3, 3))


def random_masks(num: int, size, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    densities = torch.linspace(0.1, 0.7, num).view(-1, 1, 1)
    return torch.rand(num, *size, generator=generator) < densities


def test_components_are_scipys_with_eight_neighbours():
    masks = random_masks(40, (17, 23))
    found = connected_components(masks).numpy()
    for mask, ids in zip(masks.numpy(), found, strict=True):
        reference, count = ndimage.label(mask, EIGHT)
        assert ((ids > 0) == mask).all()
        pairs = set(zip(reference[mask].tolist(), ids[mask].tolist(), strict=True))
        assert len(pairs) == count == len({own for _, own in pairs})


def test_diagonal_neighbours_belong_together_and_images_do_not():
    masks = torch.zeros(2, 4, 4, dtype=torch.bool)
    masks[0, 0, 0] = masks[0, 1, 1] = masks[0, 3, 3] = True
    masks[1, 2, 2] = True
    ids = connected_components(masks)
    assert ids[0, 0, 0] == ids[0, 1, 1] == 1 * 4 + 1 + 1  # 1 + the largest flat index
    assert ids[0, 3, 3] == 16
    assert ids[1].unique().tolist() == [0, 11]


def eligible_boxes(labels: np.ndarray, cls: int, min_area: float) -> set:
    """Boxes of all components of a class above the minimum area, by a plain loop."""
    height, width = labels.shape
    components, count = ndimage.label(labels == cls, EIGHT)
    boxes = set()
    for i in range(1, count + 1):
        rows, columns = np.nonzero(components == i)
        if len(rows) > min_area * height * width:
            box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
            boxes.add(tuple(int(v) for v in box))
    return boxes


def test_boxes_are_those_of_eligible_components_and_every_one_occurs():
    labels = torch.randint(3, (6, 12, 16), generator=torch.Generator().manual_seed(3))
    labels = labels.repeat_interleave(2, dim=1)
    classes = torch.tensor([0, 1, 2, 0, 1, 7])
    min_area = 0.02
    scale = torch.tensor([24, 16, 24, 16])
    torch.manual_seed(0)
    drawn = [set() for _ in labels]
    for _ in range(250):
        boxes, found = component_boxes(labels, classes, min_area)
        assert boxes.shape == (6, 1, 4)
        for i in range(6):
            if found[i]:
                box = boxes[i, 0] * scale
                drawn[i].add(tuple(box.round().long().tolist()))
                torch.testing.assert_close(box, box.round())
    for i in range(6):
        assert drawn[i] == eligible_boxes(labels[i].numpy(), int(classes[i]), min_area)
    assert max(len(boxes) for boxes in drawn) > 1
    assert not drawn[5]


def test_every_component_has_the_same_chance_whatever_its_size():
    labels = torch.zeros(1, 10, 20, dtype=torch.int64)
    labels[0, :10, :10] = 1
    labels[0, 0:2, 12:15] = 1
    torch.manual_seed(0)
    boxes, found = component_boxes(labels.repeat(2000, 1, 1), torch.ones(2000).long(), 0.01)
    assert found.all()
    small = (boxes[:, 0, 3] == 15 / 20).float().mean()
    assert abs(small - 0.5) < 0.04  # 4 standard deviations of a fair coin are 0.045


def test_area_must_exceed_the_minimum():
    labels = torch.zeros(1, 10, 10, dtype=torch.int64)
    labels[0, :2, :3] = 1
    one = torch.tensor([1])
    assert component_boxes(labels, one, 0.059)[1].tolist() == [True]
    assert component_boxes(labels, one, 0.06)[1].tolist() == [False]


def test_partners_follow_softmax_of_doubt_and_show_the_class():
    confidence = np.array([0.9, 0.1, 0.5, 0.0], np.float32)
    presence = np.zeros((4, 6), bool)
    presence[0, [1, 4]] = presence[1, 2] = presence[2, [0, 3, 5]] = True
    num = 20000
    drawn = draw_partners(confidence, presence, num, np.random.default_rng(0))
    assert len(drawn) == num
    classes = np.array([cls for cls, _ in drawn])
    expected = np.exp(1 - confidence) / np.exp(1 - confidence).sum()
    np.testing.assert_allclose(np.bincount(classes, minlength=4) / num, expected, atol=0.015)
    for cls in range(4):
        images = np.array([index for own, index in drawn if own == cls])
        candidates = np.flatnonzero(presence[cls]) if cls < 3 else np.arange(6)
        share = np.bincount(images, minlength=6) / len(images)
        wanted = np.isin(np.arange(6), candidates) / len(candidates)
        np.testing.assert_allclose(share, wanted, atol=0.03)
        assert set(images) == set(candidates)


def test_partners_depend_on_the_generator_alone():
    confidence, presence = np.full(5, 0.5, np.float32), np.ones((5, 9), bool)
    first, second = (
        draw_partners(confidence, presence, 8, np.random.default_rng((1, 2))) for _ in 'ab'
    )
    assert first == second
    assert first != draw_partners(confidence, presence, 8, np.random.default_rng((1, 3)))
