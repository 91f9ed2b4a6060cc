_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/cityscapes_688x688.py',
    '../_base_/schedules/sgd_40k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='TeacherStudentFriend',
    segmentor=dict(
        data_preprocessor=dict(size=(688, 688)),
        decode_head=dict(num_classes=19),
    ),
    paste_exclude=(0, 1, 2, 8, 10),  # road, sidewalk, building, vegetation, sky
)
train_dataloader = dict(batch_size=2, dataset=dict(paste_prob=0.5))
default_hooks = dict(
    ema=dict(type='MeanTeacherHook', decay=0.99), partner=dict(type='AdaptivePartnerHook')
)
