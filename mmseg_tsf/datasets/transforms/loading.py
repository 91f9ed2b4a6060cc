"""Loading of samples that nobody has labelled, or only here and there."""

import os.path as osp

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


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
            image's path relative to ``root``; an image without one has no manual pixel.
        root: Folder of the images.
        ignore_index: The value of pixels without a label.

    Raises:
        ValueError: A mask is not of its image's size.
    """

    def __init__(self, folder: str, root: str, ignore_index: int = 255) -> None:
        super().__init__(ignore_index)
        self.folder, self.root = folder, root

    def label_map(self, results: dict) -> np.ndarray:
        """``(H, W)`` uint8."""
        name = osp.splitext(osp.relpath(results['img_path'], self.root))[0]
        path = osp.join(self.folder, f'{name}.png')
        if not osp.isfile(path):
            return super().label_map(results)
        labels = mmcv.imread(path, flag='unchanged')
        size = results['img'].shape[:2]
        if labels.shape != size:
            raise ValueError(
                f'manual labels {path} are of shape {labels.shape}, their image has {size}: they '
                "must be one channel of the image's own size"
            )
        return labels
