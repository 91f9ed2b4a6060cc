# For the paper's row S4AL: 10 % of the images, then 6 % of all pixels: 16 % in all. S4AL has a mean
# teacher and no public code; this is S4AL+, which has self-training in its place. Rates, lengths,
# dropout and views are those of its code. The code has no size of squares and no number of rounds;
# the network and the size of the images are those of the other rows.
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/cityscapes_688x688.py',
    '../_base_/schedules/sgd_deal.py',
    '../_base_/default_runtime.py',
]
stage = 10000
model = dict(
    type='SelfTraining',
    segmentor=dict(
        data_preprocessor=dict(size=(688, 688)),
        decode_head=dict(num_classes=19, dropout_ratio=0.5),
    ),
    cutout=dict(size=50, probability=0.5),
)
blur = dict(type='RandomGaussianBlur', prob=1.0, sigma=(0.25, 1.25))
jitter = dict(
    type='PhotoMetricDistortion',
    brightness_delta=102,
    contrast_range=(0.2, 1.8),
    saturation_range=(0.2, 1.8),
    hue_delta=36,
)
grey = dict(
    type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)
)
strong_pipeline = [
    dict(
        type='RandomChoice',
        transforms=[[blur], [dict(type='RandomApply', prob=0.5, transforms=[jitter, grey])]],
    )
]
split = 'configs/_base_/splits/cityscapes/0.1'
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
        views=dict(strong=strong_pipeline),
    ),
)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=stage, by_epoch=False)]
train_cfg = dict(
    _delete_=True,
    type='ActiveLearningLoop',
    max_iters=4 * stage,
    val_interval=4 * stage,
    rounds=3,
    start='fresh',
    query=dict(type='S4ALQuery'),
    selector=dict(type='GridSelector', size=128, inner=True, max_per_image=3),
    budget=dict(total=0.16),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=2, num_workers=4),
)
val_cfg = dict(networks=['student'])
test_cfg = dict(networks=['student'])
