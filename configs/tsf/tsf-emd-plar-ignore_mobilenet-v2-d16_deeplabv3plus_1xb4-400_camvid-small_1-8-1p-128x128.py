# EMD and PLAR; what PLAR cannot decide does not count; 1 % manual labels.
_base_ = './tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-400_camvid-small_1-8-1p-128x128.py'
model = dict(refinement=dict(unresolved='ignore'))
