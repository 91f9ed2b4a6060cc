# DEAL (DE): images whose difficulty has the largest entropy.
_base_ = (
    './supervised-deal-ds-al_mobilenet-v2-d16_deeplabv3plus_1xb8-15k_cityscapes_10p-30p-688x688.py'
)
train_cfg = dict(query=dict(score='entropy'))
