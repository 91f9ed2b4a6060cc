# All training images labelled: the ceiling.
_base_ = './supervised_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_1-8-320x320.py'
train_dataloader = dict(dataset=dict(labelled=dict(ann_file='')))
