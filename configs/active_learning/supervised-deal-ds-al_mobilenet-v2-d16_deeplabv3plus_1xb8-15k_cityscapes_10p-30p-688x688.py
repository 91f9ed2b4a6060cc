# DEAL (DS): a branch beside the network, with the rate of the decode head, learns where the network
# errs, and the images that are most difficult on average are asked.
_base_ = (
    './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb8-15k_cityscapes_10p-30p-688x688.py'
)
model = dict(type='DifficultyAwareLearning', size=(86, 86), attention=True)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(difficulty=dict(lr_mult=10.0))))
train_cfg = dict(query=dict(_delete_=True, type='DEALQuery'))
