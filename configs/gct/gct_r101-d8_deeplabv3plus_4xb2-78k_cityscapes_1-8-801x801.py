_base_ = [
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes_801x801.py',
    '../_base_/schedules/sgd_78k.py',
    '../_base_/default_runtime.py',
]
# The recipe of the DeepLabV3+ port (VOC), with UniMatch's length: no Cityscapes run is published.
model = dict(
    type='GuidedCollaborativeTraining',
    segmentor=dict(
        data_preprocessor=dict(size=(801, 801)),
        test_cfg=dict(mode='slide', crop_size=(801, 801), stride=(534, 534)),
    ),
)
