# DEAL (DE): images whose difficulty has the largest entropy, with the bins of DEAL's CamVid runs.
_base_ = (
    './supervised-deal-ds-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_40p-128x128.py'
)
train_cfg = dict(query=dict(score='entropy', bins=8))
