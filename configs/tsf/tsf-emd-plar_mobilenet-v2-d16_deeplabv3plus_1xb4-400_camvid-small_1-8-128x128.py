# 400 more iterations from TSF's checkpoint after 2000: what EMD and PLAR add without manual labels.
_base_ = './tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_1-8-128x128.py'
load_from = (
    'work_dirs/tsf_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_1-8-128x128/iter_2000.pth'
)
max_iters = 400
model = dict(ramp=(0.0, 0.0), cps_ramp=(0.0, 0.0))  # the labels are usable from the start
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='PolyLR', power=0.9, begin=0, end=max_iters, eta_min=1e-5, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(plar=dict(begin=0.25, interval=200))
