# CamVid at full resolution, 480x360 images, 46 labelled + 321 unlabelled.
# Compare methods on the test list: the val list continues a sequence of the training list.
_base_ = './loaders.py'
dataset_type = 'CamVidDataset'
data_root = 'data/camvid'
split = 'configs/_base_/splits/camvid/1-8'
crop_size = (320, 320)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(480, 360), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(480, 360), keep_ratio=True),
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
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_prefix=dict(
            img_path=data_root + '/img_dir/test', seg_map_path=data_root + '/ann_dir/test'
        ),
        pipeline=test_pipeline,
    )
)
del train_images
