_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_camvid-small.py',
    '../_base_/datasets/camvid-small_128x128.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='CrossConsistencyTraining',
    background=(0, 1, 3, 4, 5),  # sky, building, road, pavement, tree
    at_grid=True,
)
