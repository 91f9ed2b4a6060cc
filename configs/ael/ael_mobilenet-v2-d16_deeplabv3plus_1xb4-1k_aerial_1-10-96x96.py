_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_aerial.py',
    '../_base_/datasets/aerial_96x96.py',
    '../_base_/schedules/adamw_1k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='AdaptiveEqualizationLearning',
    ramp=(0.4, 0.7),  # once the rare classes are learnt
    paste_exclude=(2, 4),  # vegetation, ground
)
train_dataloader = dict(dataset=dict(paste_prob=0.5))
default_hooks = dict(
    ema=dict(type='MeanTeacherHook', decay=0.97), partner=dict(type='AdaptivePartnerHook')
)
