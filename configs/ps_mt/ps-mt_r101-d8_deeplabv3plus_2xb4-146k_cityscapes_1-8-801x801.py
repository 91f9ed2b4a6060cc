_base_ = [
    '../_base_/models/deeplabv3plus_r101-d8.py',
    '../_base_/datasets/cityscapes_801x801.py',
    '../_base_/datasets/strong_views.py',
    '../_base_/schedules/sgd_78k.py',
    '../_base_/default_runtime.py',
]
max_iters = 146000  # 450 epochs of 8 unlabelled images
model = dict(
    type='PerturbedStrictMeanTeachers',
    segmentor=dict(
        data_preprocessor=dict(size=(801, 801)),
        test_cfg=dict(mode='slide', crop_size=(801, 801), stride=(534, 534)),
        # plain cross entropy: the public code builds OHEM and does not use it
        decode_head=dict(dilations=(1, 6, 12, 18), c1_channels=48, sampler=None),
        auxiliary_head=None,
    ),
    turn=326,  # an epoch
    warm_up=1630,
    ramp=(0.011, 0.038),  # over 12 epochs from the end of the warm-up
)
optim_wrapper = dict(optimizer=dict(lr=0.0045))
param_scheduler = [dict(type='PolyLR', power=0.9, begin=0, end=max_iters, by_epoch=False)]
train_cfg = dict(max_iters=max_iters)
find_unused_parameters = True  # the teachers stop learning by gradient after the warm-up
train_dataloader = dict(batch_size=4, dataset=dict(views=dict(strong={{_base_.strong_pipeline}})))
default_hooks = dict(ema=dict(type='MeanTeacherHook', decay=0.996, average_buffers=True))
