_base_ = [
    '../_base_/models/dpt_dinov2-b.py',
    '../_base_/datasets/cityscapes_798x798.py',
    '../_base_/datasets/strong_views.py',
    '../_base_/schedules/adamw_59k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='UniMatchV2',
    segmentor=dict(data_preprocessor=dict(size=(798, 798))),
)
train_dataloader = dict(
    dataset=dict(views=dict(strong={{_base_.strong_pipeline}}, strong_2={{_base_.strong_pipeline}}))
)
default_hooks = dict(ema=dict(type='MeanTeacherHook', decay=0.996))
