# All training images labelled: the ceiling.
_base_ = './supervised_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_aerial_1-10-96x96.py'
train_dataloader = dict(dataset=dict(labelled=dict(ann_file='')))
