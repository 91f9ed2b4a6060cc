# ISPRS Vaihingen as MMSegmentation's converter cuts it: 344 training and 398 test crops of 512x512,
# 6 classes, mask value 0 ignored. The lists (111 of the training crops for validation) come from
#   python tools/make_splits.py --image-dir data/vaihingen/img_dir/train --suffix .png \
#       --hold-out 111 --out data/vaihingen/splits
_base_ = './loaders.py'
dataset_type = 'ISPRSDataset'  # sets reduce_zero_label and the '.png' suffixes
data_root = 'data/vaihingen'
split = data_root + '/splits/1-8'
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(512, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(512, 512), keep_ratio=True),
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
        ann_file=data_root + '/splits/val.txt',
        data_prefix=dict(
            img_path=data_root + '/img_dir/train', seg_map_path=data_root + '/ann_dir/train'
        ),
        pipeline=test_pipeline,
    )
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_prefix=dict(
            img_path=data_root + '/img_dir/val', seg_map_path=data_root + '/ann_dir/val'
        ),
        pipeline=test_pipeline,
    )
)
del train_images
