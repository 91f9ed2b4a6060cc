# The paper's Vaihingen row: 15 % of the crops, then 9 % of all pixels: 24 % in all. The lists:
#   python tools/make_splits.py --image-dir data/vaihingen/img_dir/train --suffix .png \
#       --hold-out 111 --fractions 0.15 --out data/vaihingen/splits
_base_ = '../tsf/tsf_mobilenet-v2-d16_deeplabv3plus_1xb2-40k_vaihingen_1-8-512x512.py'
model = dict(
    manual_weight=1.0,
    error_head=dict(type='ErrorMaskDecoder'),
    refiner=dict(type='PseudoLabelAutoRefinement'),
)
split = 'data/vaihingen/splits/0.15'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
    )
)
default_hooks = dict(plar=dict(type='PLARHook', begin=0.2))
train_cfg = dict(
    _delete_=True,
    type='ActiveLearningLoop',
    max_iters=40000,
    val_interval=40000,
    rounds=3,
    first_query=dict(type='SeedQuery'),
    query=dict(type='PLARQuery'),
    selector=dict(type='PixelSelector', block=8),
    budget=dict(total=0.24),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=2, num_workers=2),
)
