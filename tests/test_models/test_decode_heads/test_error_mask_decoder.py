"""The error mask decoder: width, target, who gets gradient, and the mask's two parts."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from mmseg_tsf.models.decode_heads.error_mask_decoder import ErrorMaskDecoder
from mmseg_tsf.models.refinement.label_refinement import error_mask
from mmseg_tsf.utils.errors import UserError


def build(**options) -> ErrorMaskDecoder:
    cfg = dict(type='ErrorMaskDecoder', in_channels=(6, 4, 3), channels=8, **options)
    return MODELS.build(cfg)


def make_inputs(requires_grad: bool = False) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 6, 4, 4), (2, 4, 8, 8), (2, 3, 32, 32))
    return [torch.randn(s, generator=generator).requires_grad_(requires_grad) for s in shapes]


def test_width_of_the_paper():
    head = MODELS.build(dict(type='ErrorMaskDecoder', in_channels=(256, 256, 19)))
    assert head.in_channels == 531
    assert head.convs[0].conv.in_channels == 531
    assert len(head.convs) == 3


def test_one_logit_on_the_grid_of_the_second_map():
    assert build()(make_inputs()).shape == (2, 1, 8, 8)


def test_its_loss_moves_nothing_but_itself():
    head, inputs = build(), make_inputs(requires_grad=True)
    truth = torch.randint(3, (2, 32, 32))
    head.loss_on(head(inputs), inputs[2].softmax(dim=1), truth).backward()
    assert all(x.grad is None for x in inputs)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def test_target_is_where_the_pseudo_label_is_wrong_and_void_does_not_count():
    head = build(loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True, class_weight=[2.0]))
    probs = torch.zeros(1, 3, 2, 2)
    probs[0, 1] = 1.0  # the teacher says class 1 everywhere
    truth = torch.tensor([[[1, 0], [255, 1]]])
    logits = torch.tensor([[[[0.3, -1.2], [9.0, 0.8]]]])
    loss = head.loss_on(logits, probs, truth)
    right = F.softplus(torch.tensor(0.3)) + F.softplus(torch.tensor(0.8))
    wrong = 2 * F.softplus(torch.tensor(1.2))
    assert float(loss) == pytest.approx(float(right + wrong) / 4, rel=1e-5)
    nothing = head.loss_on(logits, probs, torch.full_like(truth, 255))
    assert float(nothing) == 0.0


def test_mask_is_either_part_or_both():
    doubt = torch.tensor([[[0.9, 0.1], [0.9, 0.1]]])
    confidence = torch.tensor([[[0.9, 0.9], [0.5, 0.5]]])
    assert error_mask(doubt, confidence).tolist() == [[[True, False], [True, True]]]
    assert error_mask(None, confidence).tolist() == [[[False, False], [True, True]]]
    only_emd = error_mask(doubt, confidence, min_confidence=None)
    assert only_emd.tolist() == [[[True, False], [True, False]]]
    assert error_mask(doubt, confidence, 0.95, 0.4).tolist() == [[[False, False], [False, False]]]


@pytest.mark.parametrize(
    ('options', 'sentence'),
    [
        (dict(in_channels=(6, 4)), 'must be the channels of the two taps and the number'),
        (dict(threshold=1.0), r'threshold=1.0 must lie in \(0, 1\)'),
        (dict(kernel_sizes=()), 'kernel_sizes is empty'),
    ],
)
def test_bad_options(options, sentence):
    with pytest.raises(UserError, match=sentence):
        ErrorMaskDecoder(**{'in_channels': (6, 4, 3), **options})
