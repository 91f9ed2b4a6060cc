_base_ = [
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes_769x769.py',
    '../_base_/schedules/sgd_32k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='SupervisedOnly',
    segmentor=dict(
        data_preprocessor=dict(size=(769, 769)),
        test_cfg=dict(mode='slide', crop_size=(769, 769), stride=(513, 513)),
    ),
)
train_dataloader = dict(dataset=dict(unlabelled=None))
