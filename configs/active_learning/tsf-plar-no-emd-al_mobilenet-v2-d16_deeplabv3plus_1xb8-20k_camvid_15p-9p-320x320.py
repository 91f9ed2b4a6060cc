# The paper's row with PLAR and without EMD: the error mask is the confidence alone.
_base_ = './tsf-plar-al_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_15p-9p-320x320.py'
model = dict(error_head=None)
