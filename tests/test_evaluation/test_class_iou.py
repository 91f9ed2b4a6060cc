"""IoU per class against counts by hand."""

import torch

from mmseg_tsf.evaluation import ClassIoUMetric


def test_values_and_absent_classes():
    metric = ClassIoUMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = dict(classes=('a', 'b', 'c'))
    prediction = torch.tensor([[0, 0, 1, 1]])
    label = torch.tensor([[0, 1, 1, 255]])
    sample = dict(pred_sem_seg=dict(data=prediction[None]), gt_sem_seg=dict(data=label[None]))
    metric.process({}, [sample])
    metrics = metric.evaluate(1)
    assert metrics['IoU.a'] == 50.0  # 1 of 2
    assert metrics['IoU.b'] == 50.0  # 1 of 2; the ignored pixel does not count
    assert 'IoU.c' not in metrics
    assert metrics['mIoU'] == 50.0
