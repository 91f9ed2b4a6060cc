_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_aerial.py',
    '../_base_/datasets/aerial_96x96.py',
    '../_base_/datasets/strong_views.py',
    '../_base_/schedules/adamw_1k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='PerturbedStrictMeanTeachers',
    turn=35,  # an epoch
    warm_up=200,
    weight=1.0,  # 3 in the public code, which drowns the labels on a short schedule
    ramp=(0.4, 0.7),
)
train_dataloader = dict(dataset=dict(views=dict(strong={{_base_.strong_pipeline}})))
default_hooks = dict(ema=dict(type='MeanTeacherHook', decay=0.97))
