# AEL's recipe: SGD, heads at ten times the rate, poly. AEL counts 200 epochs over the unlabelled
# images: 32.5k iterations of 16 pairs with 1/8 of Cityscapes labelled.
_base_ = './iterations.py'
max_iters = 32000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(
        custom_keys=dict(decode_head=dict(lr_mult=10.0), auxiliary_head=dict(lr_mult=10.0))
    ),
)
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=max_iters, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=4000)
default_hooks = dict(checkpoint=dict(interval=4000))
