# UniMatch's recipe for Cityscapes: SGD, one rate for all weights, poly, 240 epochs of 8 unlabelled
# images with 1/8 labelled.
_base_ = './iterations.py'
max_iters = 78000
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4)
)
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=max_iters, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=6000)
default_hooks = dict(checkpoint=dict(interval=6000))
