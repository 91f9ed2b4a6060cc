# Loaders of every data set: pairs of a labelled and an unlabelled image, and single test images.
train_dataloader = dict(
    batch_size=4,  # pairs
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='SemiInfiniteSampler', shuffle=True),
    dataset=dict(type='SemiDataset'),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ClassIoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
