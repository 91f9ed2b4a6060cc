# All training images labelled, and time to learn from them: the ceiling.
_base_ = './supervised_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_aerial_full-96x96.py'
max_iters = 4000
param_scheduler = [
    dict(type='PolyLR', power=0.9, begin=0, end=max_iters, eta_min=1e-5, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=1000))
