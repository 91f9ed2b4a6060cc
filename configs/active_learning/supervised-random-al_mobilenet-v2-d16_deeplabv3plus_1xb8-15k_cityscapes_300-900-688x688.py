# DEAL's amounts: 300 images out of 2675, then 150 a round up to 1200, drawn at random. DEAL chooses
# checkpoints by the other 300 training images, which are held out; here the last one counts. The
# lists are our own, because DEAL publishes none.
_base_ = (
    './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb8-15k_cityscapes_10p-30p-688x688.py'
)
split = 'configs/_base_/splits/cityscapes/held-out-300/300'
train_dataloader = dict(
    dataset=dict(
        labelled=dict(ann_file=split + '/labelled.txt'),
        unlabelled=dict(ann_file=split + '/unlabelled.txt'),
    ),
)
train_cfg = dict(budget=dict(total=1200))
