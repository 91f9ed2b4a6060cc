# Steel defects at half resolution, for CPUs; metrics stay at the masks' 200x200. 1 % labelled.
# The lists keep the turned copies of the validation images out of the training.
_base_ = './loaders.py'
dataset_type = 'SteelDefectDataset'
data_root = 'data/steel'
splits = 'configs/_base_/splits/steel'
split = splits + '/0.01'
crop_size = (96, 96)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(100, 100), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(100, 100), keep_ratio=True),
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
    dataset=dict(train_images, ann_file=splits + '/val.txt', pipeline=test_pipeline)
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
