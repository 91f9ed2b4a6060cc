# The paper's baseline on Vaihingen: 15 % of the crops, then 5 % of them a round up to 40 %, drawn
# at random; each stage begins anew, by the recipe of the one on Cityscapes.
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/vaihingen_512x512.py',
    '../_base_/schedules/sgd_deal.py',
    '../_base_/default_runtime.py',
]
stage = 1200
model = dict(
    type='SupervisedOnly',
    segmentor=dict(data_preprocessor=dict(size=(512, 512)), decode_head=dict(num_classes=6)),
)
split = 'data/vaihingen/splits/0.15'
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
        supervise_manual=True,
        pool_only=True,
    ),
)
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=stage, by_epoch=False)]
train_cfg = dict(
    _delete_=True,
    type='ActiveLearningLoop',
    max_iters=6 * stage,
    val_interval=6 * stage,
    rounds=5,
    start='fresh',
    query=dict(type='RandomQuery'),
    selector=dict(type='ImageSelector'),
    budget=dict(total=0.4, unit='images'),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=4, num_workers=4),
)
