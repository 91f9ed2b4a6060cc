_base_ = [
    '../_base_/models/efficientnet-lite0_aerial.py',
    '../_base_/datasets/aerial_96x96.py',
    '../_base_/schedules/adamw_1k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='TeacherStudentFriend',
    segmentor={{_base_.efficientnet_lite0}},
    paste_exclude=(2, 4),  # vegetation, ground
    # pseudo-labels count once the rare classes are learnt, or they wipe them out
    ramp=(0.4, 0.7),
    cps_ramp=(0.4, 0.7),
    cps_weight=0.5,
    cps_gamma=2.0,
)
train_dataloader = dict(dataset=dict(paste_prob=0.5))
default_hooks = dict(
    ema=dict(type='MeanTeacherHook', decay=0.97), partner=dict(type='AdaptivePartnerHook')
)
