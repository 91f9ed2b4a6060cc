# DEAL's recipe for MobileNetV2, which the TSF paper's baselines on Cityscapes were run with.
_base_ = './sgd_40k.py'
optim_wrapper = dict(
    optimizer=dict(lr=0.01, weight_decay=5e-4, nesterov=True),
    paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))),
)
