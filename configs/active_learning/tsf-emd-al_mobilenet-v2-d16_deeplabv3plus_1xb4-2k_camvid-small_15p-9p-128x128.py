# The paper's row with EMD: its mask is asked and does not teach, and nothing is refined.
_base_ = './tsf-plar-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_15p-9p-128x128.py'
model = dict(refiner=None, refinement=dict(unresolved='ignore'))
train_cfg = dict(first_query=None, query=dict(_delete_=True, type='ErrorMaskQuery'))
