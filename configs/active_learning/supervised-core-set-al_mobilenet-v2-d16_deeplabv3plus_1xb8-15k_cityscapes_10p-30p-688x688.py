_base_ = (
    './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb8-15k_cityscapes_10p-30p-688x688.py'
)
train_cfg = dict(
    query=dict(_delete_=True, type='CoreSetQuery', features='decode_head.sep_bottleneck:input')
)
