_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/camvid_360x480.py',
    '../_base_/datasets/strong_views.py',
    '../_base_/schedules/adamw_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='PerturbedStrictMeanTeachers',
    segmentor=dict(data_preprocessor=dict(size=(320, 320))),
    turn=40,  # an epoch
    warm_up=400,
    ramp=(0.02, 0.1),
)
train_dataloader = dict(
    batch_size=8, num_workers=4, dataset=dict(views=dict(strong={{_base_.strong_pipeline}}))
)
default_hooks = dict(ema=dict(type='MeanTeacherHook', decay=0.996))
