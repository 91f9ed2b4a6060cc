# What active learning with 15 % of the images starts from, when nobody is asked for more.
_base_ = './tsf_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_1-8-320x320.py'
split = 'configs/_base_/splits/camvid/0.15'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
    )
)
