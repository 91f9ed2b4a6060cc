_base_ = './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_24p-128x128.py'
train_cfg = dict(
    query=dict(_delete_=True, type='CoreSetQuery', features='decode_head.sep_bottleneck:input')
)
