# More dropout than MMSegmentation's 0.1, with which the votes hardly differ.
_base_ = './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_40p-320x320.py'
model = dict(segmentor=dict(decode_head=dict(dropout_ratio=0.5)))
train_cfg = dict(query=dict(_delete_=True, type='QBCQuery'))
