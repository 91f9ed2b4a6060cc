# PixelPick on CamVid: ten random pixels of every image, then ten more of small margin, and after
# each 50 epochs of training from the start. There are no labelled images.
_base_ = '../supervised/supervised_mobilenet-v2-d16_deeplabv3plus_1xb4-5k_camvid_full-360x480.py'
split = 'configs/_base_/splits/camvid/0'
stage = 4600
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
train_cfg = dict(
    _delete_=True,
    type='ActiveLearningLoop',
    max_iters=2 * stage,
    val_interval=2 * stage,
    rounds=2,
    stages=[0, stage, stage],
    start='fresh',
    first_query=dict(type='RandomQuery'),
    query=dict(type='PixelPickQuery'),
    selector=dict(type='PixelSelector', suppression=0, max_per_image=10),
    budget=dict(total=20 * 367, per_round=10 * 367, unit='pixels'),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=4, num_workers=2),
)
