# The query of S4AL+ with its self-training: four generations of 1000 iterations, each from the
# initial weights and taught by the one before. Regions are a quarter as large as in the other rows,
# because every image gives two of its inner ones in a round. The other rows have 1000 iterations in
# all.
_base_ = [
    './supervised-s4al-al_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_aerial_5p-15p-96x96.py',
    '../_base_/datasets/strong_views.py',
]
stage = 1000
model = dict(type='SelfTraining', cutout=dict(size=25, probability=0.5))
train_dataloader = dict(
    dataset=dict(
        supervise_manual=False, pool_only=False, views=dict(strong={{_base_.strong_pipeline}})
    )
)
train_cfg = dict(
    max_iters=4 * stage,
    val_interval=4 * stage,
    start='fresh',
    selector=dict(size=50, inner=True, max_per_image=2),
)
val_cfg = dict(networks=['student'])
test_cfg = dict(networks=['student'])
