_base_ = './mt_mobilenet-v2-d16_deeplabv3plus_1xb8-20k_camvid_1-8-320x320.py'
split = 'configs/_base_/splits/camvid/1-4'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
    )
)
