# Whole images up to 24 %.
_base_ = './supervised-vaal-al_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_40p-320x320.py'
train_cfg = dict(budget=dict(total=0.24))
