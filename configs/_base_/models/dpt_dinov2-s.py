# DINOv2-S with DPT, the network of UniMatch V2: four layers with the final norm, no batch norm.
# Weights come from the file in the environment variable DINOV2_S_WEIGHTS (timm's names), or else
# from timm's hub. Sizes are multiples of the patch of 14 pixels; needs `pip install timm`.
weights = '{{$DINOV2_S_WEIGHTS:hub}}'
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
            test_cfg=dict(size_divisor=14),
        ),
        backbone=dict(
            type='TIMMVisionTransformer',
            model_name='vit_small_patch14_dinov2.lvd142m',
            out_indices=(2, 5, 8, 11),
            weights=weights,
        ),
        decode_head=dict(
            type='DenseDPTHead',
            in_channels=[384] * 4,
            in_index=[0, 1, 2, 3],
            input_transform='multiple_select',
            embed_dims=384,
            post_process_channels=[48, 96, 192, 384],
            channels=64,
            dropout_ratio=0.0,
            num_classes=19,
            norm_cfg=None,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='slide', crop_size=(798, 798), stride=(532, 532)),
    ),
)
