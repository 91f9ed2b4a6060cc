# The paper's plain AL row: what the teacher is not sure of is asked, and nothing is refined.
_base_ = './tsf-plar-al_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_15p-9p-128x128.py'
model = dict(error_head=None, refiner=None)
default_hooks = dict(plar=dict(begin=None))  # off
train_cfg = dict(first_query=None, query=dict(_delete_=True, type='ConfidenceQuery'))
