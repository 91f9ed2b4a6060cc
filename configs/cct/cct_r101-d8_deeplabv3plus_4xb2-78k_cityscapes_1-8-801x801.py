_base_ = [
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes_801x801.py',
    '../_base_/schedules/sgd_78k.py',
    '../_base_/default_runtime.py',
]
# The recipe of the DeepLabV3+ port (VOC), with UniMatch's length: no Cityscapes run is published.
model = dict(
    type='CrossConsistencyTraining',
    segmentor=dict(
        data_preprocessor=dict(size=(801, 801)),
        test_cfg=dict(mode='slide', crop_size=(801, 801), stride=(534, 534)),
    ),
    background=(0, 1, 2, 8, 9, 10),  # road, sidewalk, building, vegetation, terrain, sky
    ramp=(0.0, 0.0),
)
