# Whole images up to 24 %.
_base_ = './supervised-vaal-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_40p-128x128.py'
train_cfg = dict(budget=dict(total=0.24))
