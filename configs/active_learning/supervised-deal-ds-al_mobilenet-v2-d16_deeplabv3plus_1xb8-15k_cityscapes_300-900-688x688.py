# DEAL (DS) by its own amounts; see supervised-deal-ds-al_*_10p-30p-688x688.py for the branch.
_base_ = (
    './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb8-15k_cityscapes_300-900-688x688.py'
)
model = dict(type='DifficultyAwareLearning', size=(86, 86), attention=True)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(difficulty=dict(lr_mult=10.0))))
train_cfg = dict(query=dict(_delete_=True, type='DEALQuery'))
