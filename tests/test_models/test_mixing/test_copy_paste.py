"""Adaptive copy-paste: which classes, and image and label by one mask."""

import torch

from mmseg_tsf.models.mixing import copy_paste
from mmseg_tsf.models.mixing.copy_paste import draw_paste_classes


def test_classes_follow_softmax_of_the_root_of_doubt():
    confidence = torch.tensor([0.0, 0.25, 0.75, 0.99])
    torch.manual_seed(0)
    drawn = draw_paste_classes(confidence, 40000)
    share = torch.bincount(drawn, minlength=4) / 40000
    expected = (1 - confidence).sqrt().softmax(dim=0)
    torch.testing.assert_close(share, expected, atol=0.01, rtol=0)


def test_excluded_classes_never_occur_and_the_others_keep_their_ratio():
    confidence = torch.tensor([0.0, 0.25, 0.75, 0.99])
    torch.manual_seed(0)
    share = torch.bincount(draw_paste_classes(confidence, 40000, (0, 2)), minlength=4) / 40000
    expected = (1 - confidence[[1, 3]]).sqrt().softmax(dim=0)
    assert share[[0, 2]].tolist() == [0, 0]
    torch.testing.assert_close(share[[1, 3]], expected, atol=0.01, rtol=0)


def test_draws_are_with_replacement():
    torch.manual_seed(0)
    drawn = [draw_paste_classes(torch.tensor([0.5, 0.5]), 3) for _ in range(50)]
    assert all(len(classes) == 3 for classes in drawn)
    assert any(len(classes.unique()) == 1 for classes in drawn)
    assert any(len(classes.unique()) == 2 for classes in drawn)


def test_image_and_label_are_pasted_by_one_mask():
    generator = torch.Generator().manual_seed(0)
    labels, source = torch.randint(5, (2, 3, 9, 11), generator=generator).unbind(0)
    source[0, :4] = 255
    source[2] = 255  # an image that gives nothing
    images = torch.stack([labels, torch.zeros_like(labels), labels], dim=1).float()
    source_images = torch.stack([source, torch.ones_like(source), source], dim=1).float()
    mixed, mixed_labels = copy_paste(images, labels, source_images, source, torch.tensor([1, 3, 1]))
    pasted = (source == 1) | (source == 3)
    assert torch.equal(mixed_labels, torch.where(pasted, source, labels))
    assert torch.equal(mixed[:, 0], mixed_labels.float())  # the image encodes its label
    assert torch.equal(mixed[:, 1], pasted.float())
    assert torch.equal(mixed[2], images[2])


def test_void_is_never_pasted():
    void = torch.full((1, 4, 4), 255)
    image = torch.zeros(1, 3, 4, 4)
    mixed, labels = copy_paste(image, torch.zeros(1, 4, 4).long(), image + 1, void, torch.arange(5))
    assert mixed.sum() == 0
    assert labels.sum() == 0
