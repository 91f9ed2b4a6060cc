# The network for the aerial chips. Rare classes weigh more in the supervised loss, or a short
# schedule learns none of them: tools/analysis/class_weights.py wrote the numbers.
_base_ = './deeplabv3plus_mobilenet-v2-d16.py'
model = dict(
    segmentor=dict(
        data_preprocessor=dict(size=(96, 96)),
        decode_head=dict(
            num_classes=6,
            loss_decode=dict(class_weight=[0.91, 1.48, 0.73, 1.13, 0.55, 3.0]),
        ),
    ),
)
