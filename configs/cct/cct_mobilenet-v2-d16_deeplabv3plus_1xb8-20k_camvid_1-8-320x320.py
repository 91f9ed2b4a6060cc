_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/camvid_360x480.py',
    '../_base_/schedules/adamw_20k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='CrossConsistencyTraining',
    segmentor=dict(data_preprocessor=dict(size=(320, 320))),
    background=(0, 1, 3, 4, 5),  # sky, building, road, pavement, tree
)
train_dataloader = dict(batch_size=8, num_workers=4)
