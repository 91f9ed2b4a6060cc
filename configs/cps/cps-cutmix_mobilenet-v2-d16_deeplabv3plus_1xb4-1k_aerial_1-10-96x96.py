_base_ = './cps_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_aerial_1-10-96x96.py'
model = dict(weight=1.5, cutmix=dict(num_boxes=3, area=(0.25, 0.5)))
