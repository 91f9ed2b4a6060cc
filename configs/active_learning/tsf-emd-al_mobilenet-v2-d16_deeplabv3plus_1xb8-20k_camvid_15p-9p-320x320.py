# The paper's row with EMD: its mask is asked and does not teach, and nothing is refined.
_base_ = './tsf-plar-al_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_15p-9p-320x320.py'
model = dict(refiner=None, refinement=dict(unresolved='ignore'))
train_cfg = dict(first_query=None, query=dict(_delete_=True, type='ErrorMaskQuery'))
