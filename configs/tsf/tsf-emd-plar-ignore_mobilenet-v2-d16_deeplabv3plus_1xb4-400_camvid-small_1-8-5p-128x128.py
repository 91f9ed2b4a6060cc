# EMD and PLAR; what PLAR cannot decide does not count; 5 % manual labels.
_base_ = './tsf-emd-plar_mobilenet-v2-d16_deeplabv3plus_1xb4-400_camvid-small_1-8-5p-128x128.py'
model = dict(refinement=dict(unresolved='ignore'))
