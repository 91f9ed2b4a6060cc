"""IoU per class against counts by hand."""

import pytest
import torch
from mmseg.evaluation import IoUMetric

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


@pytest.mark.parametrize('names', [['mDice'], ['mFscore'], ['mIoU', 'mDice', 'mFscore']])
def test_other_metrics_come_with_the_same_iou(names):
    found = []
    for kind in (ClassIoUMetric, IoUMetric):
        metric = kind(iou_metrics=names)
        metric.dataset_meta = dict(classes=('a', 'b', 'c'))
        prediction = torch.tensor([[0, 0, 1, 1, 2]])
        label = torch.tensor([[0, 1, 1, 255, 0]])
        sample = dict(pred_sem_seg=dict(data=prediction[None]), gt_sem_seg=dict(data=label[None]))
        metric.process({}, [sample])
        found.append(dict(metric.evaluate(1)))
    own, stock = found
    per_class = [own.pop(f'IoU.{name}') for name in 'abc']
    assert per_class == [33.33, 50.0, 0.0]
    assert own.pop('mIoU') == pytest.approx(27.78)
    stock.pop('mIoU', None)
    assert {k: pytest.approx(v, nan_ok=True) for k, v in stock.items()} == own
