# Whole images drawn at random up to 40 % in one round, trained on anew: a baseline of the paper.
_base_ = '../supervised/supervised_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_1-8-320x320.py'
split = 'configs/_base_/splits/camvid/0.15'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(
            _delete_=True,
            type='CamVidDataset',
            ann_file=split + '/unlabelled.txt',
            data_prefix={{_base_.train_dataloader.dataset.labelled.data_prefix}},
            pipeline={{_base_.train_pipeline}},
        ),
        supervise_manual=True,
        pool_only=True,
    )
)
# The curve is of the test list: val continues training sequences, and nothing is chosen by it.
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(
            img_path='data/camvid/img_dir/test', seg_map_path='data/camvid/ann_dir/test'
        )
    )
)
stage = 20000
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=stage, eta_min=1e-5, by_epoch=False)]
train_cfg = dict(
    _delete_=True,
    type='ActiveLearningLoop',
    max_iters=2 * stage,
    val_interval=2 * stage,
    rounds=1,
    start='fresh',
    query=dict(type='RandomQuery'),
    selector=dict(type='ImageSelector'),
    budget=dict(total=0.4, unit='images'),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=8, num_workers=2),
)
