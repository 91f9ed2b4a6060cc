_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_camvid-small.py',
    '../_base_/datasets/camvid-small_128x128.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='GuidedCollaborativeTraining',
    weight=10.0,  # 100 in the public code, which drowns the labels on a short schedule
    ramp=(0.4, 0.7),
    detector=dict(channels=16),
)
