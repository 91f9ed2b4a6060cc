# The paper's baseline on Cityscapes, by DEAL's protocol: 10 % of the images, then 5 % of them a
# round up to 40 %, drawn at random; each stage begins anew. Here stages are equally long, 100
# epochs of 40 %; DEAL asks out of a random half of the pool, and this out of all of it.
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16.py',
    '../_base_/datasets/cityscapes_688x688.py',
    '../_base_/schedules/sgd_deal.py',
    '../_base_/default_runtime.py',
]
stage = 15000
model = dict(
    type='SupervisedOnly',
    segmentor=dict(data_preprocessor=dict(size=(688, 688)), decode_head=dict(num_classes=19)),
)
split = 'configs/_base_/splits/cityscapes/0.1'
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
    max_iters=7 * stage,
    val_interval=7 * stage,
    rounds=6,
    start='fresh',
    query=dict(type='RandomQuery'),
    selector=dict(type='ImageSelector'),
    budget=dict(total=0.4, unit='images'),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=4, num_workers=4),
)
