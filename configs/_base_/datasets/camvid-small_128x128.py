# CamVid with images at half resolution, for CPUs; metrics stay at the masks' 480x360.
# Compare methods on the test list: the val list continues a sequence of the training list.
dataset_type = 'CamVidDataset'
data_root = 'data/camvid'
split = 'configs/_base_/splits/camvid/1-8'
crop_size = (128, 128)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(240, 180), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(240, 180), keep_ratio=True),
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
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_prefix=dict(
            img_path=data_root + '/img_dir/test', seg_map_path=data_root + '/ann_dir/test'
        ),
        pipeline=test_pipeline,
    ),
)

val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
