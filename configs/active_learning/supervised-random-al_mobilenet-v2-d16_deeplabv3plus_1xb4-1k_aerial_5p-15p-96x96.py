# Regions of 100x100 pixels drawn at random, 5 % of all pixels in each of 3 rounds of one training.
# Cheap enough to compare strategies over many seeds on a CPU: one process without loader workers.
_base_ = [
    '../_base_/models/deeplabv3plus_mobilenet-v2-d16_aerial.py',
    '../_base_/datasets/aerial_96x96.py',
    '../_base_/schedules/adamw_1k.py',
    '../_base_/default_runtime.py',
]
split = 'configs/_base_/splits/aerial/0.05'
model = dict(type='SupervisedOnly')
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
        supervise_manual=True,
        pool_only=True,
    ),
)
# The curve is of the test list: val has no water, and nothing is chosen by it.
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_prefix=dict(
            img_path='data/aerial/img_dir/test', seg_map_path='data/aerial/ann_dir/test'
        )
    ),
)
train_cfg = dict(
    _delete_=True,
    type='ActiveLearningLoop',
    max_iters=1000,
    val_interval=1000,
    rounds=3,
    query=dict(type='RandomQuery'),
    selector=dict(type='GridSelector', size=100),
    budget=dict(total=0.2, unit='pixels'),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=4),
)
