# DEAL (DS): a branch beside the network learns where the network errs, and the images that are
# most difficult on average are asked. The branch learns ten times as fast as the network.
_base_ = './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_40p-320x320.py'
model = dict(type='DifficultyAwareLearning', size=(60, 80), attention=True)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(difficulty=dict(lr_mult=10.0))))
train_cfg = dict(query=dict(_delete_=True, type='DEALQuery'))
