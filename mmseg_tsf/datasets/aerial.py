"""Aerial chips at 10 cm per pixel, six classes of land cover."""

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class AerialChipsDataset(BaseSegDataset):
    """Aerial chips of 300x300 pixels from two scenes, 155/34/71 images (train/val/test).

    Masks are single-channel PNGs with ids 0-5 in the order below; no pixel is void.
    ``tools/dataset_converters/aerial.py`` makes this layout from the public chips and splits them.

    Source: DroneDeploy segmentation benchmark, sample scenes, cut into chips by
    https://github.com/aqbewtra/Multi-Class-Aerial-Segmentation.

    Args:
        img_suffix: Ending of the image files.
        seg_map_suffix: Ending of the mask files.
        **kwargs: Passed to :class:`mmseg.datasets.BaseSegDataset`.
    """

    METAINFO = dict(
        classes=('Building', 'Clutter', 'Vegetation', 'Water', 'Ground', 'Car'),
        palette=[
            [230, 25, 75],
            [145, 30, 180],
            [60, 180, 75],
            [0, 130, 200],
            [245, 230, 190],
            [255, 225, 25],
        ],
    )

    def __init__(self, img_suffix: str = '.jpg', seg_map_suffix: str = '.png', **kwargs) -> None:
        # id 0 is the building, not a background class
        kwargs.setdefault('reduce_zero_label', False)
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)
