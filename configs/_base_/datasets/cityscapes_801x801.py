# Cityscapes in the measures of UniMatch, PS-MT and CPS: 801 crops (the latter two have 800) of the
# lists that they share. Four GPUs with pairs of two give UniMatch's batch of 8 pairs.
_base_ = './cityscapes_769x769.py'
split = 'configs/_base_/splits/cityscapes/unimatch/1-8'
crop_size = (801, 801)
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
