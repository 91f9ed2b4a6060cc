_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_aerial.py',
    '../_base_/datasets/aerial_96x96.py',
    '../_base_/schedules/adamw_1k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='CrossConsistencyTraining',
    background=(2, 4),  # vegetation, ground
    at_grid=True,
)
