# DINOv2-B with DPT: see dpt_dinov2-s.py. The weights are in DINOV2_B_WEIGHTS, or come from the hub.
_base_ = './dpt_dinov2-s.py'
weights = '{{$DINOV2_B_WEIGHTS:hub}}'
model = dict(
    segmentor=dict(
        backbone=dict(model_name='vit_base_patch14_dinov2.lvd142m', weights=weights),
        decode_head=dict(
            in_channels=[768] * 4,
            embed_dims=768,
            post_process_channels=[96, 192, 384, 768],
            channels=128,
        ),
    ),
)
