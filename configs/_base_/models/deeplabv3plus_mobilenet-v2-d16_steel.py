# The network for the steel defects. Defects weigh more than the background in the supervised loss,
# or a short schedule learns only the largest: tools/analysis/class_weights.py wrote the numbers.
_base_ = './deeplabv3plus_mobilenet-v2-d16.py'
model = dict(
    segmentor=dict(
        data_preprocessor=dict(size=(96, 96)),
        decode_head=dict(
            num_classes=4,
            loss_decode=dict(class_weight=[0.36, 1.44, 0.87, 1.21]),
        ),
    ),
)
