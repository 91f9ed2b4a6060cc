"""MMSeg's IoU metric with a value per class."""

from __future__ import annotations

import numpy as np
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """``IoUMetric`` that also returns ``IoU.<class>`` in percent, for tables and TensorBoard.

    A class that neither the ground truth nor the prediction shows has no IoU and is left out. The
    ``mIoU``, by which runs are compared, is there whatever ``iou_metrics`` are asked for.

    Args:
        **kwargs: See MMSeg's ``IoUMetric``.
    """

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Adds the IoU of each class to the stock metrics."""
        metrics = super().compute_metrics(results)
        if not results:  # predictions were only written to files
            return metrics
        areas = [sum(parts) for parts in zip(*results, strict=True)]
        per_class = self.total_area_to_metrics(*areas, ['mIoU'], self.nan_to_num)['IoU']
        metrics.setdefault('mIoU', round(float(np.nanmean(per_class)) * 100, 2))
        for name, value in zip(self.dataset_meta['classes'], per_class, strict=True):
            if not np.isnan(value):
                metrics[f'IoU.{name}'] = round(float(value) * 100, 2)
        return metrics
