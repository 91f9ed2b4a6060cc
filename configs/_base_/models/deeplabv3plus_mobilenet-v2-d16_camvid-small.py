# The network for half-resolution CamVid. Rare classes weigh more in the supervised loss, or a short
# schedule learns none of them: tools/analysis/class_weights.py wrote the numbers.
_base_ = './deeplabv3plus_mobilenet-v2-d16.py'
model = dict(
    segmentor=dict(
        data_preprocessor=dict(size=(128, 128)),
        decode_head=dict(
            loss_decode=dict(
                class_weight=[0.52, 0.46, 2.05, 0.38, 1.0, 0.66, 1.99, 1.89, 0.86, 2.86, 3.14]
            )
        ),
    ),
)
