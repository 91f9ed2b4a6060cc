# The same by VAAL with the published VAE: 100 epochs of 2975 images in batches of 128.
_base_ = (
    './supervised-random-al_mobilenet-v2-d16_deeplabv3plus_1xb8-15k_cityscapes_10p-30p-688x688.py'
)
train_cfg = dict(
    query=dict(
        _delete_=True,
        type='VAALQuery',
        channels=1024,
        iterations=2324,
        batch_size=128,
        num_workers=4,
    )
)
