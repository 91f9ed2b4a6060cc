_base_ = [
    '../_base_/models/efficientnet-lite0_aerial.py',
    '../_base_/datasets/aerial_96x96.py',
    '../_base_/schedules/adamw_1k.py',
    '../_base_/default_runtime.py',
]
model = dict(type='SupervisedOnly', segmentor={{_base_.efficientnet_lite0}})
train_dataloader = dict(dataset=dict(unlabelled=None))
