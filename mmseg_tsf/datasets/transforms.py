"""Label maps of unlabelled and partly labelled images, and blur for strong views."""

from __future__ import annotations

import os.path as osp

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets.transforms import Resize
from mmseg.registry import TRANSFORMS

from ..models.utils.labels import IGNORE_INDEX
from ..utils.errors import UserError
from .label_values import UNREADABLE, as_bytes

OUTSIDE = 'outside_map'
"""Key of a map beside the labels that becomes 255 where a transform shows no image."""


@TRANSFORMS.register_module()
class LoadEmptyAnnotations(BaseTransform):
    """Adds a label map without labels to an unlabelled image, in place of ``LoadAnnotations``.

    No mask file is needed or read, so the ground truth of unlabelled images cannot reach the
    training.

    Required keys: ``img``. Added: ``gt_seg_map`` ``(H, W)`` uint8, all ``ignore_index``.

    Args:
        ignore_index: Value of all pixels of the label map.

    Attributes:
        marks_outside: Whether a map :data:`OUTSIDE` of zeros is added, too.
    """

    def __init__(self, ignore_index: int = 255) -> None:
        self.ignore_index, self.marks_outside = ignore_index, False

    def transform(self, results: dict) -> dict:
        """Adds the label map."""
        results.pop('seg_map_path', None)
        results['gt_seg_map'] = self.label_map(results)
        results['seg_fields'] = [*results.get('seg_fields', []), 'gt_seg_map']
        if self.marks_outside:
            results[OUTSIDE] = np.zeros(results['img'].shape[:2], np.uint8)
            results['seg_fields'].append(OUTSIDE)
        return results

    def label_map(self, results: dict) -> np.ndarray:
        """Label map ``(H, W)`` uint8 of a loaded image."""
        return np.full(results['img'].shape[:2], self.ignore_index, np.uint8)


@TRANSFORMS.register_module()
class LoadManualAnnotations(LoadEmptyAnnotations):
    """Adds a label map with the manual labels of an image, 255 elsewhere.

    Required keys: ``img``, ``img_path``. Added: ``gt_seg_map`` ``(H, W)`` uint8.

    Args:
        folder: Folder with a PNG of class ids for every image with manual labels, under the path
            of the image relative to ``root``; ``None`` for no manual labels.
        root: Folder of the images.
        img_suffix: Ending of image names that PNG names do not have (the extension).
        ignore_index: Value of pixels without a label.

    Raises:
        UserError: A PNG and its image differ in size.
    """

    def __init__(
        self, folder: str | None, root: str, img_suffix: str = '', ignore_index: int = 255
    ) -> None:
        super().__init__(ignore_index)
        self.folder, self.root, self.img_suffix = folder, root, img_suffix

    def has_labels(self, img_path: str) -> bool:
        """Whether an image has manual labels."""
        return self.folder is not None and osp.isfile(self.path(img_path))

    def path(self, img_path: str) -> str:
        """Path of the manual labels of an image, whether they exist or not."""
        name = osp.relpath(img_path, self.root)
        name = name.removesuffix(self.img_suffix) if self.img_suffix else osp.splitext(name)[0]
        return osp.join(self.folder, f'{name}.png')

    def label_map(self, results: dict) -> np.ndarray:
        """Label map ``(H, W)`` uint8 of a loaded image."""
        if not self.has_labels(results['img_path']):
            return super().label_map(results)
        labels, size = self.read(results['img_path']), results['img'].shape[:2]
        if labels.shape != size:
            raise UserError(
                f'manual labels {self.path(results["img_path"])} have shape {labels.shape}, '
                f'their image has {size}: they must have one channel and the size of the image'
            )
        return labels

    def read(self, img_path: str) -> np.ndarray:
        """Reads the manual labels ``(H, W)`` uint8 of an image that has some.

        Raises:
            UserError: The file is damaged, or a value is no id of 8 bits.
        """
        path = self.path(img_path)
        try:
            # pillow returns the indices of a palette image, OpenCV its colours
            found = mmcv.imread(path, flag='unchanged', backend='pillow')
        except UNREADABLE as error:
            raise UserError(
                f'manual labels {path} cannot be read ({error}): replace them'
            ) from None
        return as_bytes(found, f'manual labels {path}')


@TRANSFORMS.register_module()
class SparseLabelResize(Resize):
    """``Resize`` that keeps single labelled pixels of a sparse label map.

    MMSeg samples a label map at the nearest pixel, which drops three of four single labelled pixels
    at half the size. Here a labelled pixel is written to the pixel that it falls on unless that has
    a label already. Dense parts of the map are resized as in MMSeg.
    """

    def _resize_seg(self, results: dict) -> None:
        before = {key: results[key] for key in results.get('seg_fields', [])}
        super()._resize_seg(results)
        for key, labels in before.items():
            if labels is not None and (labels != IGNORE_INDEX).any():
                results[key] = scatter_labels(labels, results[key])


def scatter_labels(labels: np.ndarray, resized: np.ndarray) -> np.ndarray:
    """Copies labelled pixels into the unlabelled pixels of a resized map.

    Args:
        labels: ``(H, W)`` class ids before resizing, 255 = no label.
        resized: ``(h, w)`` class ids after resizing.

    Returns:
        np.ndarray: ``(h, w)``; the last of several labels of one pixel, in row order, is used.
    """
    (height, width), (rows, columns) = labels.shape, resized.shape
    y, x = np.nonzero(labels != IGNORE_INDEX)
    target = y * rows // height, x * columns // width
    filled = resized.copy()
    filled[target] = labels[y, x]
    return np.where(resized == IGNORE_INDEX, filled, resized)


@TRANSFORMS.register_module()
class RandomGaussianBlur(BaseTransform):
    """Blurs an image, as the strong views of UniMatch and PS-MT do.

    Required and modified key: ``img``.

    Args:
        prob: Probability that an image is blurred.
        sigma: Range of the standard deviation in pixels, drawn uniformly.
    """

    def __init__(self, prob: float = 0.5, sigma: tuple[float, float] = (0.1, 2.0)) -> None:
        self.prob, self.sigma = prob, sigma

    def transform(self, results: dict) -> dict:
        """Blurs ``img``."""
        if np.random.rand() < self.prob:
            sigma = np.random.uniform(*self.sigma)
            results['img'] = cv2.GaussianBlur(results['img'], (0, 0), sigma)
        return results
