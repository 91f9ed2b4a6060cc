# Cityscapes, the MobileNetV2 protocol of DEAL: images squashed to 688x688, scale 0.8-1.2, flip.
# Two GPUs give the published batch of 8 pairs. Differences to DEAL: no colour jitter, and the
# metric counts pixels of the 2048x1024 masks, where DEAL squashes these too.
_base_ = './loaders.py'
dataset_type = 'CityscapesDataset'
data_root = 'data/cityscapes'
split = 'configs/_base_/splits/cityscapes/u2pl/1-8'
crop_size = (688, 688)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(688, 688), ratio_range=(0.8, 1.2), keep_ratio=False),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(688, 688), keep_ratio=False),
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
