"""Loading of samples that nobody has labelled, or only here and there."""

from __future__ import annotations

import os.path as osp

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from ...utils.errors import UserError


@TRANSFORMS.register_module()
class LoadEmptyAnnotations(BaseTransform):
    """Gives an unlabelled image a label map that is ignored everywhere.

    Stands in for ``LoadAnnotations``. A mask file is neither needed nor read, so ground truth of
    unlabelled images can not reach the training.

    Required keys: ``img``. Added: ``gt_seg_map`` ``(H, W)`` uint8, all ``ignore_index``.

    Args:
        ignore_index: The value written.
    """

    def __init__(self, ignore_index: int = 255) -> None:
        self.ignore_index = ignore_index

    def transform(self, results: dict) -> dict:
        """Adds the label map."""
        results.pop('seg_map_path', None)
        results['gt_seg_map'] = self.label_map(results)
        results['seg_fields'] = [*results.get('seg_fields', []), 'gt_seg_map']
        return results

    def label_map(self, results: dict) -> np.ndarray:
        """``(H, W)`` uint8."""
        return np.full(results['img'].shape[:2], self.ignore_index, np.uint8)


@TRANSFORMS.register_module()
class LoadManualAnnotations(LoadEmptyAnnotations):
    """Gives an image the pixels that people have labelled in it, 255 elsewhere.

    Required keys: ``img``, ``img_path``. Added: ``gt_seg_map`` ``(H, W)`` uint8.

    Args:
        folder: Holds a PNG of class ids for every image that has manual pixels, under the
            image's path relative to ``root``; an image without one has no manual pixel. ``None``
            for no manual pixels at all.
        root: Folder of the images.
        img_suffix: What the images' names end with and the PNGs' do not; the extension by
            default.
        ignore_index: The value of pixels without a label.

    Raises:
        UserError: A mask is not of its image's size.
    """

    def __init__(
        self, folder: str | None, root: str, img_suffix: str = '', ignore_index: int = 255
    ) -> None:
        super().__init__(ignore_index)
        self.folder, self.root, self.img_suffix = folder, root, img_suffix

    def has_labels(self, img_path: str) -> bool:
        """Whether somebody has labelled pixels of an image."""
        return self.folder is not None and osp.isfile(self._path(img_path))

    def _path(self, img_path: str) -> str:
        name = osp.relpath(img_path, self.root)
        name = name.removesuffix(self.img_suffix) if self.img_suffix else osp.splitext(name)[0]
        return osp.join(self.folder, f'{name}.png')

    def label_map(self, results: dict) -> np.ndarray:
        """``(H, W)`` uint8."""
        if not self.has_labels(results['img_path']):
            return super().label_map(results)
        labels, size = self.read(results['img_path']), results['img'].shape[:2]
        if labels.shape != size:
            raise UserError(
                f'manual labels {self._path(results["img_path"])} are of shape {labels.shape}, '
                f"their image has {size}: they must be one channel of the image's own size"
            )
        return labels

    def read(self, img_path: str) -> np.ndarray:
        """``(H, W)`` uint8 manual labels of an image that has some."""
        # pillow gives a palette image's indices, OpenCV its colours
        return mmcv.imread(self._path(img_path), flag='unchanged', backend='pillow')
