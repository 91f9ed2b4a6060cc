_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/vaihingen_512x512.py',
    '../_base_/schedules/sgd_40k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='TeacherStudentFriend',
    segmentor=dict(
        data_preprocessor=dict(size=(512, 512)),
        decode_head=dict(num_classes=6),
    ),
    # impervious surface, building, low vegetation, tree
    paste_exclude=(0, 1, 2, 3),
)
train_dataloader = dict(batch_size=2, dataset=dict(paste_prob=0.5))
default_hooks = dict(
    ema=dict(type='MeanTeacherHook', decay=0.99), partner=dict(type='AdaptivePartnerHook')
)
