_base_ = [
    '../_base_/models/deeplabv3plus_r18-tiny-d8.py',
    '../_base_/datasets/demo_street_96x128.py',
    '../_base_/schedules/adamw_demo.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='TeacherStudentFriend',
    segmentor=dict(data_preprocessor=dict(size=(96, 96))),
    paste_exclude=(0, 1, 2, 3, 4),  # sky, building, road, pavement, tree
    ramp=(0.1, 0.3),
    cps_ramp=(0.1, 0.3),
)
train_dataloader = dict(dataset=dict(paste_prob=0.5))
custom_hooks = [
    dict(type='SemiHook'),
    dict(type='MeanTeacherHook', decay=0.99),
    dict(type='AdaptivePartnerHook'),
]
