_base_ = [
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes_769x769.py',
    '../_base_/schedules/sgd_32k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='AdaptiveEqualizationLearning',
    segmentor=dict(
        data_preprocessor=dict(size=(769, 769)),
        test_cfg=dict(mode='slide', crop_size=(769, 769), stride=(513, 513)),
    ),
    paste_exclude=(0, 1, 2, 8, 10),  # road, sidewalk, building, vegetation, sky
    consistency_on_labelled=True,
)
train_dataloader = dict(dataset=dict(paste_prob=0.5, paste_pipeline={{_base_.paste_pipeline}}))
default_hooks = dict(
    ema=dict(type='MeanTeacherHook', decay=0.99), partner=dict(type='AdaptivePartnerHook')
)
