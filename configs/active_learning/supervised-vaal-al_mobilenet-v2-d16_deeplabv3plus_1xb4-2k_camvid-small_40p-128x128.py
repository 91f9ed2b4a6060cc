# The same by VAAL, whose networks see small copies of the images; its training is shorter and its
# VAE narrower than the published ones, for CPUs.
_base_ = './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_40p-128x128.py'
train_cfg = dict(query=dict(_delete_=True, type='VAALQuery'))
