"""Heads whose labels would mean something else than the pseudo-labels are refused when built."""

import warnings

import pytest
import torch
from helpers import METHODS, batch_for, build_model, make_sample, model_cfg, tiny_segmentor
from mmseg.registry import MODELS

from mmseg_tsf.models.utils.labels import hard_labels
from mmseg_tsf.utils.errors import UserError

SIGMOID = dict(type='CrossEntropyLoss', use_sigmoid=True)
BINARY = dict(num_classes=2, out_channels=1, threshold=0.5, loss_decode=SIGMOID)


def build(method='mt', auxiliary=None, preprocessor=None, **head):
    segmentor = tiny_segmentor(**head)
    if auxiliary is not None:
        segmentor['auxiliary_head'] = [dict(segmentor['decode_head'], **own) for own in auxiliary]
    segmentor['data_preprocessor'].update(preprocessor or {})
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # MMSeg warns of what is refused here
        return MODELS.build(model_cfg(method, segmentor))


@pytest.mark.parametrize('method', METHODS)
def test_one_class_alone_is_refused_by_all_methods(method):
    with pytest.raises(UserError, match=r'segmentor.decode_head.num_classes=1 has no class besi'):
        build(method, num_classes=1, loss_decode=SIGMOID)


@pytest.mark.parametrize(
    ('head', 'sentence'),
    [
        (dict(BINARY, threshold=None), r'decode_head.threshold=0.3: .*set threshold=0.5 \(MMSeg'),
        (dict(BINARY, threshold=0.7), r'segmentor.decode_head.threshold=0.7: pseudo-labels take'),
        (dict(BINARY, loss_decode=dict(type='CrossEntropyLoss')), 'out_channels=1 has no softmax'),
        (dict(ignore_index=0), 'model.segmentor.decode_head.ignore_index=0: pixels without a labe'),
        (
            dict(
                loss_decode=[dict(type='CrossEntropyLoss'), dict(type='DiceLoss', ignore_index=1)]
            ),
            r'decode_head.loss_decode\[1\].ignore_index=1',
        ),
        (
            dict(loss_decode=dict(type='OhemCrossEntropy', ignore_label=0)),
            'decode_head.loss_decode.ignore_label=0',
        ),
        (
            dict(auxiliary=[{}, dict(ignore_index=254)]),
            r'model.segmentor.auxiliary_head\[1\].ignore_index=254',
        ),
        (dict(preprocessor=dict(seg_pad_val=0)), 'data_preprocessor.seg_pad_val=0 labels the padd'),
    ],
)
def test_the_key_is_named(head, sentence):
    with pytest.raises(UserError, match=sentence):
        build(**head)


def test_a_network_of_its_own_is_named():
    friend = tiny_segmentor(ignore_index=3)
    with pytest.raises(UserError, match='model.networks.friend.decode_head.ignore_index=3'):
        MODELS.build(model_cfg('cps', networks=dict(friend=friend)))


def test_pseudo_labels_of_a_binary_head_are_its_predictions():
    model = build_model('mt', tiny_segmentor(**BINARY)).eval()
    images = batch_for(model, num_classes=2)[0]['unlabelled']
    head = model.teacher.decode_head
    with torch.no_grad():  # about as many of either class
        head.conv_seg.bias -= model.view('teacher', images).grid_logits.median()
    samples = [make_sample(torch.zeros(images.shape[2:])) for _ in images]
    predicted = model.network(images, samples, 'predict')
    predicted = torch.stack([sample.pred_sem_seg.data[0] for sample in predicted])
    shown = hard_labels(model.view('teacher', images).logits)
    assert 0.05 < shown.float().mean() < 0.95
    assert torch.equal(predicted.long(), shown)
