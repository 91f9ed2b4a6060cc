# What every schedule by iterations shares. Hooks have keys, so that a config changes one of them.
val_cfg = dict(type='SemiValLoop')
test_cfg = dict(type='SemiTestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2000, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
    semi=dict(type='SemiHook'),
)
