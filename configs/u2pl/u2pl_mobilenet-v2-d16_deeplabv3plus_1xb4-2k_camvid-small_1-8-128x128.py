_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_camvid-small.py',
    '../_base_/datasets/camvid-small_128x128.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='UnreliablePseudoLabels',
    ramp=(0.4, 0.7),
    features='decode_head.sep_bottleneck',
    channels=64,
    queue_size=4000,
    keys=1000,
    queries=64,
)
default_hooks = dict(ema=dict(type='MeanTeacherHook', decay=0.97))
