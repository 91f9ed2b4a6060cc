"""Surface defects of hot-rolled steel strips, three kinds and the background."""

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class SteelDefectDataset(BaseSegDataset):
    """NEU-Seg: grey images of 200x200 pixels, 3630/840 images (train/test).

    Masks are single-channel PNGs with ids 0-3 in the order below; no pixel is void. Each original
    occurs four times, three times turned or mirrored. 810 of the 840 test images have their three
    copies among the training images, so scores on the test list are too high for training on
    the whole training list. ``configs/_base_/splits/README.md`` describes lists without that fault.

    Source: Song and Yan, *A noise robust method based on completed local binary patterns for
    hot-rolled steel strip surface defects*, Applied Surface Science 2013; the masks and copies are
    of https://github.com/DHW-Master/NEU_Seg.

    Args:
        img_suffix: Ending of the image files.
        seg_map_suffix: Ending of the mask files.
        **kwargs: Passed to :class:`mmseg.datasets.BaseSegDataset`.
    """

    METAINFO = dict(
        classes=('Background', 'Inclusion', 'Patch', 'Scratch'),
        palette=[[0, 0, 0], [230, 159, 0], [86, 180, 233], [204, 121, 167]],
    )

    def __init__(self, img_suffix: str = '.jpg', seg_map_suffix: str = '.png', **kwargs) -> None:
        # the background is a class of its own, which is learnt and measured
        kwargs.setdefault('reduce_zero_label', False)
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)
