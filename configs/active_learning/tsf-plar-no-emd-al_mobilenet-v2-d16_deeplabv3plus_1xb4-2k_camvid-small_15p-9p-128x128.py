# The paper's row with PLAR and without EMD: the error mask is the confidence alone.
_base_ = './tsf-plar-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_15p-9p-128x128.py'
model = dict(error_head=None)
