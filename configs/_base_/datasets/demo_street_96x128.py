# The generated street scenes of `make demo`, 128x96 images.
dataset_type = 'DemoStreetDataset'
data_root = 'work_dirs/demo/data'
split = data_root + '/splits'
crop_size = (64, 64)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(128, 96), ratio_range=(0.75, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 96), keep_ratio=True),
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
            ann_file=split + '/labelled.txt',
            data_prefix=dict(
                img_path=data_root + '/img_dir/train', seg_map_path=data_root + '/ann_dir/train'
            ),
            pipeline=train_pipeline,
        ),
        unlabelled=dict(
            type=dataset_type,
            ann_file=split + '/unlabelled.txt',
            data_prefix=dict(
                img_path=data_root + '/img_dir/train', seg_map_path=data_root + '/ann_dir/train'
            ),
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
        data_prefix=dict(
            img_path=data_root + '/img_dir/val', seg_map_path=data_root + '/ann_dir/val'
        ),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
