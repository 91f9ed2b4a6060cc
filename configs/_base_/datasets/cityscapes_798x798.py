# Cityscapes in the measures of UniMatch V2: 798 crops, of UniMatch's lists. Four GPUs with pairs of
# two give its batch of 8 pairs.
_base_ = './cityscapes_769x769.py'
split = 'configs/_base_/splits/cityscapes/unimatch/1-8'
crop_size = (798, 798)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt', pipeline=train_pipeline),
        unlabelled=dict(ann_file=split + '/unlabelled.txt', pipeline=train_pipeline),
    ),
)
