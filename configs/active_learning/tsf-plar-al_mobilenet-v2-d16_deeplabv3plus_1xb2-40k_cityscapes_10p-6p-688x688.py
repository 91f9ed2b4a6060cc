# The paper's Cityscapes row: 10 % of the images, then 6 % of all pixels: 16 % in all.
_base_ = '../tsf/tsf_mobilenet-v2-d16_deeplabv3plus_1xb2-40k_cityscapes_1-8-688x688.py'
model = dict(
    manual_weight=1.0,
    error_head=dict(type='ErrorMaskDecoder'),
    refiner=dict(type='PseudoLabelAutoRefinement'),
)
split = 'configs/_base_/splits/cityscapes/0.1'
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
    # a scored cell is 12 x 6 pixels here: smaller blocks, or apart, cannot spend the budget
    selector=dict(type='PixelSelector', block=11, suppression=0),
    budget=dict(total=0.16),
    oracle=dict(type='GroundTruthOracle'),
    pool=dict(batch_size=2, num_workers=2),
)
