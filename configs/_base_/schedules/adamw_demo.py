# Schedule of the demo: small network, no weights file, minutes on a CPU.
_base_ = './iterations.py'
max_iters = 700
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='FusedAdamW', lr=3e-3, weight_decay=0.01)
)
param_scheduler = [
    dict(type='PolyLR', power=0.9, begin=0, end=max_iters, eta_min=1e-5, by_epoch=False)
]
# tools/demo.py tests the last checkpoint, so training does not
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_begin=max_iters + 1)
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(interval=max_iters, max_keep_ckpts=1)
)
