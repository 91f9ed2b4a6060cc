# The same by the mean entropy of an image, the largest first.
_base_ = (
    './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb8-15k_cityscapes_300-900-688x688.py'
)
train_cfg = dict(query=dict(_delete_=True, type='EntropyQuery'))
