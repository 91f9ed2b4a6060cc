# CamVid at full resolution: 15 % of the images, then 9 % of all pixels in three rounds.
_base_ = '../tsf/tsf_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_1-8-320x320.py'
model = dict(
    manual_weight=1.0,
    error_head=dict(type='ErrorMaskDecoder'),
    refiner=dict(type='PseudoLabelAutoRefinement'),
)
split = 'configs/_base_/splits/camvid/0.15'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
    )
)
default_hooks = dict(plar=dict(type='PLARHook', begin=0.2))
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
    max_iters=20000,
    val_interval=20000,
    rounds=3,
    first_query=dict(type='SeedQuery'),
    query=dict(type='PLARQuery'),
    selector=dict(type='PixelSelector', block=8),
    budget=dict(total=0.24),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=8, num_workers=2),
)
