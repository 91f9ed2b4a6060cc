"""Figures of pseudo-labels against scikit-learn and hand counts."""

import pytest
import torch
from sklearn.metrics import average_precision_score, jaccard_score

from mmseg_tsf.evaluation import PseudoLabelQuality

K = 4


def make(seed: int, high: int = K) -> torch.Tensor:
    return torch.randint(high, (3, 8, 10), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def batch() -> dict:
    truth = make(0)
    truth[0, :2] = 255
    before = torch.where(make(1, 3) > 0, truth.clamp(max=K - 1), make(2))
    after = torch.where(make(3, 4) > 0, truth.clamp(max=K - 1), before)
    before[1, :, -1] = after[1, :, -1] = 255  # padding
    return dict(before=before, after=after, truth=truth, flagged=make(4, 2) == 1)


def test_accuracy_and_miou_inside_and_outside(batch):
    asked = make(5, 8) == 0
    quality = PseudoLabelQuality(K)
    for i in range(3):  # batch by batch
        quality.update(
            *(batch[k][i : i + 1] for k in ('before', 'after', 'flagged', 'truth')),
            asked[i : i + 1],
        )
    figures = quality.compute()
    counts = (batch['truth'] < K) & (batch['before'] < K) & ~asked
    for stage in ('before', 'after'):
        for place, where in (
            ('', counts),
            ('.inside', counts & batch['flagged']),
            ('.outside', counts & ~batch['flagged']),
        ):
            labels, truth = batch[stage][where], batch['truth'][where]
            expected = 100 * float((labels == truth).double().mean())
            assert figures[f'{stage}.accuracy{place}'] == pytest.approx(expected)
            expected = 100 * jaccard_score(truth, labels, average='macro')
            assert figures[f'{stage}.mIoU{place}'] == pytest.approx(expected)
    wrong = counts & (batch['before'] != batch['truth'])
    expected = 100 * float((wrong & batch['flagged']).sum() / wrong.sum())
    assert figures['errors_inside'] == pytest.approx(expected)
    assert figures['flagged'] == pytest.approx(
        100 * float((counts & batch['flagged']).sum() / counts.sum())
    )


def test_dropped_labels_are_neither_right_nor_wrong(batch):
    after = batch['before'].masked_fill(batch['flagged'], 255)
    quality = PseudoLabelQuality(K)
    nobody = torch.zeros_like(batch['flagged'])
    quality.update(batch['before'], after, batch['flagged'], batch['truth'], nobody)
    figures = quality.compute()
    assert figures['after.accuracy'] == pytest.approx(figures['before.accuracy.outside'])
    assert figures['after.dropped'] == pytest.approx(figures['flagged'])


def test_average_precision_equals_scikit_learn(batch):
    score = torch.rand(3, 8, 10, generator=torch.Generator().manual_seed(6))
    score = (score * 512).floor() / 512  # one value per bin
    wrong = batch['before'] != batch['truth']
    counts = batch['truth'] < K
    quality = PseudoLabelQuality(K)
    nobody = torch.zeros_like(counts)
    quality.update(batch['before'], batch['after'], batch['flagged'], batch['truth'], nobody)
    quality.update_errors('emd', score, wrong, counts)
    expected = 100 * average_precision_score(wrong[counts], score[counts])
    assert quality.compute()['emd.AP'] == pytest.approx(expected)
    group = (score[counts] * 16).long()
    gap = torch.zeros(16, dtype=torch.float64)
    gap.index_add_(0, group, score[counts].double() + 0.5 / 512 - wrong[counts].double())
    expected = 100 * float(gap.abs().sum() / counts.sum())
    assert quality.compute()['emd.calibration_error'] == pytest.approx(expected)


def test_shares_are_by_class_of_the_pseudo_label():
    labels = torch.tensor([[[0, 0, 0, 0], [1, 1, 3, 255]]])
    flagged = torch.tensor([[[1, 1, 1, 0], [0, 1, 0, 0]]]).bool()
    counts = torch.tensor([[[0, 1, 1, 1], [1, 1, 1, 0]]]).bool()
    quality = PseudoLabelQuality(K)
    for _ in range(2):
        quality.update_shares(labels, dict(flagged=flagged, nothing=~counts), counts)
    shares = quality.shares()
    assert set(shares) == {'flagged', 'nothing'}
    expected = [200 / 3, 50.0, float('nan'), 0.0]
    assert shares['flagged'] == pytest.approx(expected, nan_ok=True)
    assert shares['nothing'] == pytest.approx([0.0, 0.0, float('nan'), 0.0], nan_ok=True)
