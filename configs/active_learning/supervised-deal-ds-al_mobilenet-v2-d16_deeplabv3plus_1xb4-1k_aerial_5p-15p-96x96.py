_base_ = './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_aerial_5p-15p-96x96.py'
model = dict(type='DifficultyAwareLearning', size=(24, 24), attention=True)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(difficulty=dict(lr_mult=10.0))))
train_cfg = dict(query=dict(_delete_=True, type='DEALQuery'))
