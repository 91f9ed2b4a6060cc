# Vegetation and ground are the background.
_base_ = './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_aerial_5p-15p-96x96.py'
train_cfg = dict(query=dict(_delete_=True, type='ClaSPQuery', background=(2, 4)))
