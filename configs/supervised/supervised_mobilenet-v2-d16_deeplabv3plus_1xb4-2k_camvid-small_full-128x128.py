# All training images labelled: the ceiling.
_base_ = './supervised_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_1-8-128x128.py'
train_dataloader = dict(dataset=dict(labelled=dict(ann_file='')))
