# The continued TSF with EMD and PLAR, and 5 % of the unlabelled pixels labelled at iteration 100.
_base_ = './tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-400_camvid-small_1-8-1p-128x128.py'
train_cfg = dict(budget=dict(total=46 / 367 + 0.05 * 321 / 367))
