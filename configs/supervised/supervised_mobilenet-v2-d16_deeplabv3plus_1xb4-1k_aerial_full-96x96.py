# All training images labelled, on the schedule of the other rows. Their masks have class weights of
# their own (tools/analysis/class_weights.py).
_base_ = './supervised_mobilenet-v2-d16_deeplabv3plus_1xb4-1k_aerial_1-10-96x96.py'
weights = [0.78, 2.19, 0.77, 1.7, 0.58, 2.94]
model = dict(segmentor=dict(decode_head=dict(loss_decode=dict(class_weight=weights))))
train_dataloader = dict(dataset=dict(labelled=dict(ann_file='')))
