_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/camvid_360x480.py',
    '../_base_/schedules/adamw_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='AdaptiveEqualizationLearning',
    segmentor=dict(data_preprocessor=dict(size=(320, 320))),
    paste_exclude=(0, 1, 3, 5),  # sky, building, road, tree
)
train_dataloader = dict(batch_size=8, num_workers=4, dataset=dict(paste_prob=0.5))
default_hooks = dict(
    ema=dict(type='MeanTeacherHook', decay=0.99), partner=dict(type='AdaptivePartnerHook')
)
