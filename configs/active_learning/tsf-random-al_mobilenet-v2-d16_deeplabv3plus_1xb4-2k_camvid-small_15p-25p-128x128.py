# 40 % of all pixels in all.
_base_ = './tsf-random-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_15p-9p-128x128.py'
train_cfg = dict(budget=dict(total=0.4))
