_base_ = [
    '../_base_/models/deeplabv3plus_r18-tiny-d8.py',
    '../_base_/datasets/demo_street_96x128.py',
    '../_base_/schedules/adamw_demo.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='TeacherStudentFriend',
    segmentor=dict(data_preprocessor=dict(size=(64, 64))),
    paste_exclude=(0, 1, 2, 3, 4),  # sky, building, road, pavement, tree
    # pseudo-labels count once the rare classes are learnt, or they wipe them out
    ramp=(0.3, 0.6),
    cps_ramp=(0.3, 0.6),
    cps_weight=0.5,
    cps_gamma=2.0,
)
train_dataloader = dict(dataset=dict(paste_prob=0.5))
default_hooks = dict(
    ema=dict(type='MeanTeacherHook', decay=0.97), partner=dict(type='AdaptivePartnerHook')
)
