# A folder of your own: images/, masks/ and splits/ (made by tools/make_splits.py --hold-out N).
# docs/your_own_data.md shows the few lines that a config adds.
_base_ = './loaders.py'
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
train_images = dict(
    type=dataset_type,
    data_root=data_root,
    metainfo=metainfo,
    data_prefix=data_prefix,
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
        data_root=data_root,
        metainfo=metainfo,
        ann_file='splits/val.txt',
        data_prefix=data_prefix,
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
del train_images
