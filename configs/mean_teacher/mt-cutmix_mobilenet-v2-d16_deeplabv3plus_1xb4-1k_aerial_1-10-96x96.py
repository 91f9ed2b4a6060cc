_base_ = './mt_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_aerial_1-10-96x96.py'
model = dict(weight=1.0, ramp=(0.0, 0.0), cutmix=dict(num_boxes=1, area=(0.5, 0.5)))
