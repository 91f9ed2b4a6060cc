# All training images labelled, by PixelPick's recipe: 50 epochs of 367 images.
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/camvid_360x480.py',
    '../_base_/schedules/iterations.py',
    '../_base_/default_runtime.py',
]
max_iters = 4600
crop_size = (360, 480)
model = dict(type='SupervisedOnly', segmentor=dict(data_preprocessor=dict(size=crop_size)))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(480, 360), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(labelled=dict(ann_file='', pipeline=train_pipeline), unlabelled=None)
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-4, weight_decay=2e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=max_iters, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
