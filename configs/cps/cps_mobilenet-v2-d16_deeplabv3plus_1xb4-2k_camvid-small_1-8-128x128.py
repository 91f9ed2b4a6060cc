_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/camvid-small_128x128.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='CrossPseudoSupervision',
    segmentor=dict(data_preprocessor=dict(size=(128, 128))),
    weight=1.5,
)
custom_hooks = [dict(type='SemiHook')]
