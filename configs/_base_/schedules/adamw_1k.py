# Short schedule for CPUs; one recipe for every method.
_base_ = './iterations.py'
max_iters = 1000
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='FusedAdamW', lr=1e-3, weight_decay=0.01)
)
param_scheduler = [
    dict(type='PolyLR', power=0.9, begin=0, end=max_iters, eta_min=1e-5, by_epoch=False)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=250))
