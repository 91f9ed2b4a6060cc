# The continued TSF with EMD and PLAR, and 1 % of the unlabelled pixels labelled at iteration 100.
_base_ = './tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-400_camvid-small_1-8-128x128.py'
model = dict(manual_weight=1.0)
train_cfg = dict(
    _delete_=True,
    type='ActiveLearningLoop',
    max_iters=400,
    val_interval=400,
    rounds=1,
    stages=(100, 300),
    query=dict(type='SeedQuery'),
    selector=dict(type='PixelSelector', block=8),
    budget=dict(total=46 / 367 + 0.01 * 321 / 367),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=4, num_workers=2),
)
