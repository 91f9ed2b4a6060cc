# More dropout than MMSegmentation's 0.1, with which the votes hardly differ.
_base_ = './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_24p-128x128.py'
model = dict(segmentor=dict(decode_head=dict(dropout_ratio=0.5)))
train_cfg = dict(query=dict(_delete_=True, type='QBCQuery'))
