# Strong views: colours, grey, blur, as UniMatch and PS-MT have them. A leaf puts them into
# train_dataloader.dataset.views under the names that its method needs.
strong_pipeline = [
    dict(
        type='RandomApply',
        prob=0.8,
        transforms=[
            dict(
                type='PhotoMetricDistortion',
                brightness_delta=64,
                contrast_range=(0.5, 1.5),
                saturation_range=(0.5, 1.5),
                hue_delta=45,
            )
        ],
    ),
    dict(
        type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)
    ),
    dict(type='RandomGaussianBlur', prob=0.5),
]
