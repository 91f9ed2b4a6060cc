"""DINOv2-like transformers with random weights at tiny size; needs timm (``make test-timm``)."""

import pytest
import torch
from helpers import NUM_CLASSES, batch_for, build_model, make_batch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_tsf.utils.errors import UserError

timm = pytest.importorskip('timm')

MODEL = dict(
    type='TIMMVisionTransformer',
    model_name='vit_small_patch14_dinov2',
    out_indices=(0, 1, 2, 3),
    embed_dim=24,
    depth=4,
    num_heads=2,
    img_size=56,
)


def segmentor(**test_cfg) -> dict:
    """Config of a tiny DPT."""
    return dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[127.5] * 3,
            std=[64.0] * 3,
            pad_val=0,
            seg_pad_val=255,
            size=(70, 70),
            test_cfg=dict(size_divisor=14),
        ),
        backbone=MODEL,
        decode_head=dict(
            type='DenseDPTHead',
            in_channels=[24] * 4,
            in_index=[0, 1, 2, 3],
            input_transform='multiple_select',
            embed_dims=24,
            post_process_channels=[4, 8, 12, 16],
            channels=8,
            dropout_ratio=0.0,
            num_classes=NUM_CLASSES,
            norm_cfg=None,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss'),
        ),
        train_cfg=dict(),
        test_cfg=test_cfg or dict(mode='whole'),
    )


def test_maps_are_the_normed_layers_of_the_model():
    torch.manual_seed(0)
    backbone = MODELS.build(MODEL).eval()
    images = torch.randn(2, 3, 42, 70)
    found = backbone(images)
    model = backbone.timm_model.model
    with torch.no_grad():  # by hand: patches, class token and positions, blocks, norm
        tokens = model._pos_embed(model.patch_embed(images))
        for number, block in enumerate(model.blocks):
            tokens = block(tokens)
            maps = model.norm(tokens)[:, model.num_prefix_tokens :]
            expected = maps.transpose(1, 2).reshape(2, 24, 3, 5)
            torch.testing.assert_close(found[number], expected)


def test_position_embeddings_follow_the_size_of_the_crop():
    torch.manual_seed(0)
    backbone = MODELS.build(MODEL).eval()
    for side in (28, 56, 98):
        assert backbone(torch.randn(1, 3, side, side))[-1].shape[2:] == (side // 14,) * 2


def test_a_size_that_is_no_multiple_of_the_patch_is_an_error_that_says_what_to_set():
    backbone = MODELS.build(MODEL)
    message = r'images of 70x96 pixels do not divide into patches of 14x14: set crop_size'
    with pytest.raises(UserError, match=message):
        backbone(torch.randn(1, 3, 70, 96))


def test_local_weights_are_loaded(tmp_path):
    torch.manual_seed(0)
    saved = MODELS.build(MODEL).timm_model.model.state_dict()
    torch.save(saved, tmp_path / 'weights.pth')
    loaded = MODELS.build(dict(MODEL, weights=str(tmp_path / 'weights.pth')))
    loaded.init_weights()
    for name, value in loaded.timm_model.model.state_dict().items():
        assert torch.equal(value, saved[name]), name
    with pytest.raises(UserError, match='backbone.weights=no.pth does not exist'):
        MODELS.build(dict(MODEL, weights='no.pth'))


@pytest.mark.parametrize('method', ['supervised', 'tsf', 'unimatch_v2', 'psmt', 'cct'])
def test_methods_train_it(method):
    model = build_model(method, segmentor())
    losses = model.loss(*batch_for(model, size=70))
    sum(v.sum() for k, v in losses.items() if 'loss' in k).backward()
    for name in model.learners:
        network = getattr(model, name)
        assert network.backbone.timm_model.model.patch_embed.proj.weight.grad.abs().max() > 0
        assert network.decode_head.conv_seg.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    'test_cfg',
    [
        dict(mode='whole'),
        dict(mode='slide', crop_size=(70, 70), stride=(42, 42)),
    ],
)
def test_images_of_any_size_are_predicted_at_their_size(test_cfg):
    model = build_model('unimatch_v2', segmentor(**test_cfg)).eval()
    image = torch.randint(256, (3, 90, 123), dtype=torch.uint8)
    sample = SegDataSample(
        gt_sem_seg=PixelData(data=torch.zeros(1, 90, 123)),
        metainfo=dict(img_shape=(90, 123), ori_shape=(90, 123)),
    )
    (result,) = model.test_step(dict(inputs=[image], data_samples=[sample]))
    assert result.pred_sem_seg.data.shape == (1, 90, 123)


def test_a_friend_of_another_architecture():
    """The transformer teaches EfficientNet-Lite0, and the other way round."""
    lite = ConfigDict(segmentor())
    lite.backbone = dict(type='TIMMBackbone', model_name='tf_efficientnet_lite0', pretrained=False)
    lite.decode_head = dict(
        type='FCNHead',
        in_channels=320,
        in_index=4,
        channels=8,
        num_convs=1,
        num_classes=NUM_CLASSES,
        dropout_ratio=0.0,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss'),
    )
    model = build_model('tsf', segmentor(), networks=dict(friend=lite))
    assert type(model.friend.backbone) is not type(model.student.backbone)
    inputs, samples = make_batch(model.required_branches, size=70)
    losses = model.loss(inputs, samples)
    losses['loss_cps'].backward()
    for name in ('student', 'friend'):
        assert getattr(model, name).decode_head.conv_seg.weight.grad.abs().max() > 0
