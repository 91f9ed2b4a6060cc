# Everything but the seeding round: what PLAR leaves open is asked from the first round on.
_base_ = './tsf-plar-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_15p-9p-128x128.py'
train_cfg = dict(first_query=None)
