_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/camvid_360x480.py',
    '../_base_/datasets/strong_views.py',
    '../_base_/schedules/adamw_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='UniMatch',
    segmentor=dict(data_preprocessor=dict(size=(320, 320))),
    threshold=0.0,  # as in the public code on Cityscapes
)
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    dataset=dict(
        views=dict(strong={{_base_.strong_pipeline}}, strong_2={{_base_.strong_pipeline}})
    ),
)
