# The whole system on the demo street: ten labelled images, then three rounds of single pixels.
_base_ = '../tsf/tsf_r18-tiny-d8_deeplabv3plus_1xb4_demo-street-64x64.py'
max_iters = 700
model = dict(
    manual_weight=1.0,
    error_head=dict(type='ErrorMaskDecoder', channels=32),
    refiner=dict(type='PseudoLabelAutoRefinement'),
)
default_hooks = dict(
    plar=dict(type='PLARHook', begin=0.25),
    report=dict(type='ReportHook'),  # work_dir/report/index.html after every round
)
train_cfg = dict(
    _delete_=True,
    type='ActiveLearningLoop',
    max_iters=max_iters,
    val_begin=max_iters,
    val_interval=max_iters,
    rounds=3,
    first_query=dict(type='SeedQuery'),
    query=dict(type='PLARQuery'),
    budget=dict(total=0.08),  # of all pixels; the ten labelled images are 0.0625
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=8),
)
