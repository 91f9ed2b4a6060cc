# Cityscapes, the ResNet-101 protocol of AEL and U2PL: scale 0.5-2, flip, 769 crops.
# Four GPUs give the published batch of 16 pairs.
_base_ = './loaders.py'
dataset_type = 'CityscapesDataset'
data_root = 'data/cityscapes'
split = 'configs/_base_/splits/cityscapes/u2pl/1-8'
crop_size = (769, 769)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
# AEL's source of copy-paste, down to a tenth of the size
paste_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(2048, 1024), ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 1024), keep_ratio=True),
    # After Resize, so that the metric counts pixels at the masks' own resolution.
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_images = dict(
    type=dataset_type,
    data_prefix=dict(
        img_path=data_root + '/leftImg8bit/train', seg_map_path=data_root + '/gtFine/train'
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
            img_path=data_root + '/leftImg8bit/val', seg_map_path=data_root + '/gtFine/val'
        ),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
del train_images
