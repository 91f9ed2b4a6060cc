# The generated street scenes of `make demo`, 128x96 images.
_base_ = './loaders.py'
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
train_images = dict(
    type=dataset_type,
    data_prefix=dict(
        img_path=data_root + '/img_dir/train', seg_map_path=data_root + '/ann_dir/train'
    ),
    pipeline=train_pipeline,
)
train_dataloader = dict(
    dataset=dict(
        labelled=dict(train_images, ann_file=split + '/labelled.txt'),
        unlabelled=dict(train_images, ann_file=split + '/unlabelled.txt'),
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_prefix=dict(
            img_path=data_root + '/img_dir/val', seg_map_path=data_root + '/ann_dir/val'
        ),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
del train_images
