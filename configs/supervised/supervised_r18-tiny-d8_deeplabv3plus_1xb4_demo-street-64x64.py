_base_ = [
    '../_base_/models/deeplabv3plus_r18-tiny-d8.py',
    '../_base_/datasets/demo_street_96x128.py',
    '../_base_/schedules/adamw_demo.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='SupervisedOnly',
    segmentor=dict(data_preprocessor=dict(size=(64, 64))),
)
train_dataloader = dict(dataset=dict(unlabelled=None))
