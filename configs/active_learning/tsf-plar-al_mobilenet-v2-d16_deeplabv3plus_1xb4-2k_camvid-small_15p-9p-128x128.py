# 15 % of the images labelled in full, then 9 % of all pixels in three rounds: 24 % in all.
_base_ = '../tsf/tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_1-8-128x128.py'
model = dict(manual_weight=1.0)
split = 'configs/_base_/splits/camvid/0.15'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
    )
)
default_hooks = dict(plar=dict(dataset=dict(ann_file=split + '/unlabelled.txt')))
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
    max_iters=2000,
    val_interval=2000,
    rounds=3,
    first_query=dict(type='SeedQuery'),
    query=dict(type='PLARQuery'),
    selector=dict(type='PixelSelector', block=8),
    budget=dict(total=0.24),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=4, num_workers=2),
)
