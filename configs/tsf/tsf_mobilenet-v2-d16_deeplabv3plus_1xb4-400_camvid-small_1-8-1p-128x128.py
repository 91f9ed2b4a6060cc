# The continued TSF alone; 1 % manual labels.
_base_ = './tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-400_camvid-small_1-8-1p-128x128.py'
model = dict(error_head=None, refiner=None)
default_hooks = dict(plar=dict(begin=None))  # off
