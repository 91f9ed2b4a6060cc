"""Loading of samples that nobody has labelled."""

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
        results['gt_seg_map'] = np.full(results['img'].shape[:2], self.ignore_index, np.uint8)
        results['seg_fields'] = [*results.get('seg_fields', []), 'gt_seg_map']
        return results
