# 40 % of the images labelled, drawn at random: what active learning has to beat.
_base_ = './supervised_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_1-8-128x128.py'
train_dataloader = dict(
    dataset=dict(labelled=dict(ann_file='configs/_base_/splits/camvid/0.4/labelled.txt'))
)
