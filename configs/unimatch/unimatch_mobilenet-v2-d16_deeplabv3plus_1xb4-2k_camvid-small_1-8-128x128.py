_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_camvid-small.py',
    '../_base_/datasets/camvid-small_128x128.py',
    '../_base_/datasets/strong_views.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='UniMatch',
    threshold=0.0,  # as in the public code on Cityscapes
    ramp=(0.4, 0.7),
)
train_dataloader = dict(
    dataset=dict(views=dict(strong={{_base_.strong_pipeline}}, strong_2={{_base_.strong_pipeline}}))
)
