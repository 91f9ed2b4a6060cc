# TSF whose unsure pseudo-labels are put to PLAR's vote.
_base_ = './tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_1-8-128x128.py'
model = dict(error_head=None)
