# The same by the mean entropy of a crop, the largest first.
_base_ = (
    './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb8-1200_vaihingen_15p-25p-512x512.py'
)
train_cfg = dict(query=dict(_delete_=True, type='EntropyQuery'))
