_base_ = [
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes_769x769.py',
    '../_base_/schedules/sgd_32k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='UnreliablePseudoLabels',
    segmentor=dict(
        data_preprocessor=dict(size=(769, 769)),
        test_cfg=dict(mode='slide', crop_size=(769, 769), stride=(512, 512)),
    ),
    features='decode_head.sep_bottleneck',
)
optim_wrapper = dict(
    optimizer=dict(weight_decay=5e-4),
    paramwise_cfg=dict(_delete_=True),  # one rate for all weights
)
default_hooks = dict(ema=dict(type='MeanTeacherHook', decay=0.99))
