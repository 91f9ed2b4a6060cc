# The query of S4AL+ with its self-training: 15 % of the images, then 9 % of all pixels in three
# rounds, four inner squares of every image in each. Four generations of 2000 iterations, each from
# the initial weights.
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_camvid-small.py',
    '../_base_/datasets/camvid-small_128x128.py',
    '../_base_/datasets/strong_views.py',
    '../_base_/schedules/adamw_2k.py',
    '../_base_/default_runtime.py',
]
stage = 2000
model = dict(type='SelfTraining', cutout=dict(size=25, probability=0.5))
split = 'configs/_base_/splits/camvid/0.15'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
        views=dict(strong={{_base_.strong_pipeline}}),
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
    max_iters=4 * stage,
    val_interval=4 * stage,
    rounds=3,
    start='fresh',
    query=dict(type='S4ALQuery'),
    selector=dict(type='GridSelector', size=40, inner=True, max_per_image=4),
    budget=dict(total=0.24),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=4, num_workers=2),
)
val_cfg = dict(networks=['student'])
test_cfg = dict(networks=['student'])
