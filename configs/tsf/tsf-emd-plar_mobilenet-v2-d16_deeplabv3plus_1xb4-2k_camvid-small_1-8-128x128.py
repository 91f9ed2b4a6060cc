# TSF whose doubtful pseudo-labels (EMD or confidence) are put to PLAR's vote.
_base_ = './tsf_mobilenet-v2-d16_deeplabv3plus_1xb4-2k_camvid-small_1-8-128x128.py'
model = dict(
    error_head=dict(type='ErrorMaskDecoder'),
    refiner=dict(type='PseudoLabelAutoRefinement'),
)
default_hooks = dict(
    plar=dict(
        type='PLARHook',
        begin=0.2,
        dataset=dict(  # masks of the unlabelled images, for evaluation only
            type='CamVidDataset',
            ann_file='configs/_base_/splits/camvid/1-8/unlabelled.txt',
            data_prefix=dict(
                img_path='data/camvid/img_dir/train', seg_map_path='data/camvid/ann_dir/train'
            ),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations'),
                dict(type='Resize', scale=(240, 180), keep_ratio=True),
                dict(type='PackSegInputs'),
            ],
        ),
        interval=500,
    )
)
