"""Resizing of label maps in which single pixels count."""

from __future__ import annotations

import numpy as np
from mmseg.datasets.transforms import Resize
from mmseg.registry import TRANSFORMS

from ...models.utils.pixel_losses import IGNORE_INDEX


@TRANSFORMS.register_module()
class SparseLabelResize(Resize):
    """``Resize`` that loses no labelled pixel of a sparse label map.

    MMSeg samples a label map at the nearest pixel, so at half the size three of four single
    labelled pixels are gone. Here a labelled pixel is put where it falls unless another label is
    there already. Dense parts of the map are resized as by MMSeg.
    """

    def _resize_seg(self, results: dict) -> None:
        before = {key: results[key] for key in results.get('seg_fields', [])}
        super()._resize_seg(results)
        for key, labels in before.items():
            if labels is not None and (labels != IGNORE_INDEX).any():
                results[key] = scatter_labels(labels, results[key])


def scatter_labels(labels: np.ndarray, resized: np.ndarray) -> np.ndarray:
    """Puts labelled pixels into the unlabelled ones of a resized map.

    Args:
        labels: ``(H, W)`` class ids before resizing, 255 = no label.
        resized: ``(h, w)`` after it.

    Returns:
        np.ndarray: ``(h, w)``; of several pixels that fall on one the last in row order wins.
    """
    (height, width), (rows, columns) = labels.shape, resized.shape
    y, x = np.nonzero(labels != IGNORE_INDEX)
    target = y * rows // height, x * columns // width
    filled = resized.copy()
    filled[target] = labels[y, x]
    return np.where(resized == IGNORE_INDEX, filled, resized)
