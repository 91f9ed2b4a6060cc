# The same budget spent on the pixels of largest entropy.
_base_ = './tsf-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_15p-9p-128x128.py'
train_cfg = dict(query=dict(_delete_=True, type='EntropyQuery'))
