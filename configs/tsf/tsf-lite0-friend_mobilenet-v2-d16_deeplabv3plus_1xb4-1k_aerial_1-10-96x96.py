# A friend of another architecture: EfficientNet-Lite0 beside MobileNetV2.
_base_ = [
    './tsf_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_aerial_1-10-96x96.py',
    '../_base_/models/efficientnet-lite0_aerial.py',
]
model = dict(networks=dict(friend={{_base_.efficientnet_lite0}}))
