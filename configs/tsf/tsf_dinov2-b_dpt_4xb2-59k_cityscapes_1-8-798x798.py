_base_ = [
    '../_base_/models/dpt_dinov2-b.py',
    '../_base_/datasets/cityscapes_798x798.py',
    '../_base_/schedules/adamw_59k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='TeacherStudentFriend',
    segmentor=dict(data_preprocessor=dict(size=(798, 798))),
    paste_exclude=(0, 1, 2, 8, 10),  # road, sidewalk, building, vegetation, sky
)
train_dataloader = dict(dataset=dict(paste_prob=0.5))
default_hooks = dict(
    ema=dict(type='MeanTeacherHook', decay=0.996), partner=dict(type='AdaptivePartnerHook')
)
