_base_ = './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_steel_1p-3p-96x96.py'
train_cfg = dict(query=dict(_delete_=True, type='VAALQuery'))
