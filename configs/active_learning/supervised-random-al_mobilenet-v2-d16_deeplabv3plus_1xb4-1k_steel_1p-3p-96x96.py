# Whole images drawn at random, 1 % of them in each of 3 rounds of one training. Cheap enough to
# compare strategies over many seeds on a CPU: one process without loader workers.
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_steel.py',
    '../_base_/datasets/steel_96x96.py',
    '../_base_/schedules/adamw_1k.py',
    '../_base_/default_runtime.py',
]
model = dict(type='SupervisedOnly')
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(supervise_manual=True, pool_only=True),
)
val_dataloader = dict(num_workers=0, persistent_workers=False)
train_cfg = dict(
    _delete_=True,
    type='ActiveLearningLoop',
    max_iters=1000,
    val_interval=1000,
    rounds=3,
    query=dict(type='RandomQuery'),
    selector=dict(type='ImageSelector'),
    budget=dict(total=0.04, unit='images'),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=16),
)
