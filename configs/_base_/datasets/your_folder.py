# A folder of your own: images/, masks/ and splits/ (made by tools/make_splits.py --hold-out N).
# docs/your_own_data.md shows the few lines that a config adds.
dataset_type = 'BaseSegDataset'
data_root = 'data/your_folder'
# A placeholder: without classes a data set has no metric.
metainfo = dict(classes=('background', 'object'))
data_prefix = dict(img_path='images', seg_map_path='masks')
# Relative to data_root, like the two folders.
split = 'splits/1-8'
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
    # After Resize, so that the metric counts pixels at the masks' own resolution.
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,  # pairs of a labelled and an unlabelled image
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='SemiInfiniteSampler', shuffle=True),
    dataset=dict(
        type='SemiDataset',
        labelled=dict(
            type=dataset_type,
            data_root=data_root,
            metainfo=metainfo,
            ann_file=split + '/labelled.txt',
            data_prefix=data_prefix,
            pipeline=train_pipeline,
        ),
        unlabelled=dict(
            type=dataset_type,
            data_root=data_root,
            metainfo=metainfo,
            ann_file=split + '/unlabelled.txt',
            data_prefix=data_prefix,
            pipeline=train_pipeline,
        ),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        metainfo=metainfo,
        ann_file='splits/val.txt',
        data_prefix=data_prefix,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
