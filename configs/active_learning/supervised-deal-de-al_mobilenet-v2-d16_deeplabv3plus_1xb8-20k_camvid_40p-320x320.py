# DEAL (DE): images whose difficulty has the largest entropy, with the bins of DEAL's CamVid runs.
_base_ = './supervised-deal-ds-al_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_40p-320x320.py'
train_cfg = dict(query=dict(score='entropy', bins=8))
