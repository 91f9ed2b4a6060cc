# DeepLabV3+ on MobileNetV2, output stride 16: the active-learning peers' network.
norm_cfg = dict(type='BN', requires_grad=True)
weights = '{{$MOBILENETV2_WEIGHTS:data/weights/mobilenet_v2_in1k_int8dequant_mmseg.pth}}'
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
            type='MobileNetV2',
            widen_factor=1.0,
            strides=(1, 2, 2, 2, 1, 1, 1),
            dilations=(1, 1, 1, 1, 1, 2, 2),
            out_indices=(1, 2, 4, 6),
            norm_cfg=norm_cfg,
            init_cfg=dict(
                type='Pretrained',
                checkpoint=weights,
            ),
        ),
        decode_head=dict(
            type='DepthwiseSeparableASPPHead',
            in_channels=320,
            in_index=3,
            channels=256,
            dilations=(1, 6, 12, 18),
            c1_in_channels=24,
            c1_channels=48,
            dropout_ratio=0.1,
            num_classes=11,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    ),
)
