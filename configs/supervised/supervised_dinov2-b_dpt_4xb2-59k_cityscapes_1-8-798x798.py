_base_ = [
    '../_base_/models/dpt_dinov2-b.py',
    '../_base_/datasets/cityscapes_798x798.py',
    '../_base_/schedules/adamw_59k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='SupervisedOnly',
    segmentor=dict(data_preprocessor=dict(size=(798, 798))),
)
train_dataloader = dict(dataset=dict(unlabelled=None))
