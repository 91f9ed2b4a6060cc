# UniMatch V2's recipe for Cityscapes: AdamW, the pretrained backbone at a fortieth of the rate,
# poly, 180 epochs of 8 unlabelled images with 1/8 labelled.
_base_ = './iterations.py'
max_iters = 59000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.025))),
)
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=max_iters, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=5000)
default_hooks = dict(checkpoint=dict(interval=5000))
