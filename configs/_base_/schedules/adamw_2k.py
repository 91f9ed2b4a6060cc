# Short schedule for CPUs; one recipe for every method.
max_iters = 2000
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='FusedAdamW', lr=1e-3, weight_decay=0.01)
)
param_scheduler = [
    dict(type='PolyLR', power=0.9, begin=0, end=max_iters, eta_min=1e-5, by_epoch=False)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='SemiValLoop')
test_cfg = dict(type='SemiTestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=500, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
)
