_base_ = './mt_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_1-8-320x320.py'
model = dict(weight=1.0, cutmix=dict(num_boxes=1, area=(0.5, 0.5)))
