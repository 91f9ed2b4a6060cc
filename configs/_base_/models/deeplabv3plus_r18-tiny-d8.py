# DeepLabV3+ on a ResNet-18 of a quarter of the width, output stride 8, trained from scratch: for
# the demo, which has no weights file and little time.
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    segmentor=dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_val=0,
            seg_pad_val=255,
        ),
        backbone=dict(
            type='ResNetV1c',
            depth=18,
            stem_channels=16,
            base_channels=16,
            num_stages=4,
            out_indices=(0, 1, 2, 3),
            dilations=(1, 1, 2, 4),
            strides=(1, 2, 1, 1),
            norm_cfg=norm_cfg,
            style='pytorch',
            contract_dilation=True,
        ),
        decode_head=dict(
            type='DepthwiseSeparableASPPHead',
            in_channels=128,
            in_index=3,
            channels=64,
            dilations=(1, 3, 6, 9),
            c1_in_channels=16,
            c1_channels=16,
            dropout_ratio=0.1,
            num_classes=9,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    ),
)
