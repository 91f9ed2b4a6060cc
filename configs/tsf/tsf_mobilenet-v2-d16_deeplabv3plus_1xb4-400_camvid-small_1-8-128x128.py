# The continued TSF alone: what 400 more iterations bring.
_base_ = './tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-400_camvid-small_1-8-128x128.py'
model = dict(error_head=None, refiner=None)
default_hooks = dict(plar=dict(begin=None))  # off
