# The continued TSF whose doubtful pseudo-labels (EMD or confidence) do not count; 1 % manual.
_base_ = './tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-400_camvid-small_1-8-1p-128x128.py'
model = dict(refiner=None, refinement=dict(unresolved='ignore'))
