# The same budget spent on pixels drawn at random.
_base_ = './tsf-al_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_15p-9p-320x320.py'
train_cfg = dict(query=dict(_delete_=True, type='RandomQuery'))
