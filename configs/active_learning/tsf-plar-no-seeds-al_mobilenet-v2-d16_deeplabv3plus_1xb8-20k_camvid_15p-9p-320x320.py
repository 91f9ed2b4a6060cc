# Everything but the seeding round: what PLAR leaves open is asked from the first round on.
_base_ = './tsf-plar-al_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_15p-9p-320x320.py'
train_cfg = dict(first_query=None)
