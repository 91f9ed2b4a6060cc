_base_ = [
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes_801x801.py',
    '../_base_/datasets/strong_views.py',
    '../_base_/schedules/sgd_78k.py',
    '../_base_/default_runtime.py',
]
# Output stride 16. Half of the sum of the losses, as in the public code, is in the weights.
sampler = dict(type='OHEMPixelSampler', thresh=0.7, min_kept=100000)  # 200k of two images
model = dict(
    type='UniMatch',
    segmentor=dict(
        data_preprocessor=dict(size=(801, 801)),
        test_cfg=dict(mode='slide', crop_size=(801, 801), stride=(534, 534)),
        backbone=dict(
            dilations=(1, 1, 1, 2),
            strides=(1, 2, 2, 1),
            multi_grid=None,
            contract_dilation=False,
        ),
        decode_head=dict(
            dilations=(1, 6, 12, 18),
            c1_channels=48,
            sampler=sampler,
            loss_decode=dict(loss_weight=0.5),
        ),
        auxiliary_head=None,
    ),
    weight=0.5,
    threshold=0.0,
)
train_dataloader = dict(
    dataset=dict(views=dict(strong={{_base_.strong_pipeline}}, strong_2={{_base_.strong_pipeline}}))
)
