_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_camvid-small.py',
    '../_base_/datasets/camvid-small_128x128.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='AdaptiveEqualizationLearning',
    ramp=(0.4, 0.7),  # once the rare classes are learnt
    paste_exclude=(0, 1, 3, 5),  # sky, building, road, tree
)
train_dataloader = dict(dataset=dict(paste_prob=0.5))
default_hooks = dict(
    ema=dict(type='MeanTeacherHook', decay=0.97), partner=dict(type='AdaptivePartnerHook')
)
