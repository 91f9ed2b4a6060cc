# 40 % of all pixels in all.
_base_ = './tsf-margin-al_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_15p-9p-320x320.py'
train_cfg = dict(budget=dict(total=0.4))
