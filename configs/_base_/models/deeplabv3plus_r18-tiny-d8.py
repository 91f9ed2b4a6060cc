# DeepLabV3+ on the first three stages of a ResNet-18 of a quarter of the width, output stride 8,
# trained from scratch: for the demo, which has no weights file and little time.
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
            num_stages=3,
            out_indices=(0, 1, 2),
            dilations=(1, 1, 2),
            strides=(1, 2, 1),
            norm_cfg=norm_cfg,
            style='pytorch',
            contract_dilation=True,
        ),
        decode_head=dict(
            type='DepthwiseSeparableASPPHead',
            in_channels=64,
            in_index=2,
            channels=64,
            dilations=(1, 3, 6, 9),
            c1_in_channels=16,
            c1_channels=16,
            dropout_ratio=0.1,
            num_classes=9,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=dict(
                type='CrossEntropyLoss',
                # tools/analysis/class_weights.py, of the ten labelled images
                class_weight=[1.0, 0.73, 0.6, 0.94, 0.95, 1.67, 2.85, 2.65, 2.54],
            ),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    ),
)
