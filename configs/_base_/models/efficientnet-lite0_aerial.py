# DeepLabV3+ on EfficientNet-Lite0 (float32 ImageNet weights) for the aerial chips, as a variable: a
# leaf takes it for all networks or for one. Needs `pip install timm`; the weights are written by
# tools/model_converters/efficientnet_lite0.py.
efficientnet_lite0 = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(96, 96),
    ),
    backbone=dict(
        type='TIMMBackbone',
        model_name='tf_efficientnet_lite0',
        pretrained=True,
        pretrained_cfg_overlay=dict(
            file='{{$EFFICIENTNET_LITE0_WEIGHTS:work_dirs/weights/lite0.pth}}'
        ),
        output_stride=16,
        out_indices=(1, 2, 3, 4),
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
        num_classes=6,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(
            type='CrossEntropyLoss',
            use_sigmoid=False,
            loss_weight=1.0,
            class_weight=[0.91, 1.48, 0.73, 1.13, 0.55, 3.0],
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
