"""How good pseudo-labels are, before and after refinement; for evaluation only."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor

# Histograms of our own instead of torchmetrics: one histogram of each map gives both figures, is
# summed over ranks in one call, and treats equal scores as scikit-learn does.
BINS = 512  # number of bins of a histogram
GROUPS = 16  # number of groups of bins behind a calibration error


class PseudoLabelQuality:
    """Counts pseudo-labels against hidden ground truth, on the device, in constant memory.

    Pixels that people have labelled are left out of every figure: what was asked is no merit of
    the refinement.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self._confusion: dict[str, Tensor] = {}
        self._errors: dict[str, Tensor] = {}
        self._shares: dict[str, Tensor] = {}

    def update(
        self, before: Tensor, after: Tensor, flagged: Tensor, truth: Tensor, asked: Tensor
    ) -> None:
        """Adds a batch.

        Args:
            before: ``(N, H, W)`` int64 pseudo-labels, 255 in the padding.
            after: ``(N, H, W)`` int64 refined ones, 255 where a label was dropped.
            flagged: ``(N, H, W)`` bool error mask.
            truth: ``(N, H, W)`` int64 hidden ground truth, 255 = void.
            asked: ``(N, H, W)`` bool, labelled by people.
        """
        counts = (truth < self.num_classes) & (before < self.num_classes) & ~asked
        for stage, labels in (('before', before), ('after', after)):
            for place, where in (('inside', flagged), ('outside', ~flagged)):
                self._add(f'{stage}.{place}', labels, truth, counts & where)

    def update_errors(self, name: str, score: Tensor, wrong: Tensor, counts: Tensor) -> None:
        """Adds a map of suspected errors, for its average precision.

        Args:
            name: Name of the map, such as ``'emd'``.
            score: ``(N, H, W)`` in [0, 1], high where an error is suspected.
            wrong: ``(N, H, W)`` bool, the true errors.
            counts: ``(N, H, W)`` bool, pixels that count.
        """
        bins = (score * BINS).long().clamp(0, BINS - 1)
        index = (bins * 2 + wrong.long())[counts]
        found = torch.bincount(index, minlength=2 * BINS).view(BINS, 2)
        self._errors[name] = self._errors.get(name, 0) + found

    def update_shares(self, labels: Tensor, masks: dict[str, Tensor], counts: Tensor) -> None:
        """Adds masks, for their shares by class of the pseudo-labels.

        Args:
            labels: ``(N, H, W)`` int64 pseudo-labels.
            masks: ``(N, H, W)`` bool by name, e.g. ``'flagged'``.
            counts: ``(N, H, W)`` bool, pixels that count.
        """
        for name, mask in {'': counts, **masks}.items():
            found = torch.bincount(labels[mask & counts], minlength=self.num_classes)
            self._shares[name] = self._shares.get(name, 0) + found

    def reduce(self) -> None:
        """Sums the counts over all ranks; every rank must call it, and must have had an image."""
        parts = (self._confusion, self._errors, self._shares)
        for counts in (counts for part in parts for counts in part.values()):
            all_reduce(counts)

    def shares(self) -> dict[str, list[float]]:
        """Percent of the pseudo-labels of each class that each mask holds."""
        whole = self._shares['']
        return {
            name: [share(own, total) for own, total in zip(found, whole, strict=True)]
            for name, found in self._shares.items()
            if name
        }

    def _add(self, key: str, labels: Tensor, truth: Tensor, where: Tensor) -> None:
        size = self.num_classes + 1  # the last column: no label
        index = (truth * size + labels.clamp(max=self.num_classes))[where]
        found = torch.bincount(index, minlength=self.num_classes * size)
        found = found.view(self.num_classes, size)
        self._confusion[key] = self._confusion.get(key, 0) + found

    def compute(self) -> dict[str, float]:
        """Figures in percent: ``before.mIoU``, ``after.accuracy.inside``, ``emd.AP``, ...

        Dropped labels count neither as right nor as wrong in accuracies and IoU; their share is
        ``after.dropped``. ``flagged`` is the error mask's share of the pixels, and
        ``errors_inside`` the share of all errors that it holds. A map that tells errors has its
        average precision, ``emd.AP``, and, read as a probability, its ``emd.calibration_error``.
        """
        figures = {}
        for stage in ('before', 'after'):
            inside, outside = (self._confusion[f'{stage}.{p}'] for p in ('inside', 'outside'))
            for place, matrix in (
                ('', inside + outside),
                ('.inside', inside),
                ('.outside', outside),
            ):
                figures[f'{stage}.accuracy{place}'] = accuracy(matrix)
                figures[f'{stage}.mIoU{place}'] = mean_iou(matrix)
            total = inside + outside
            figures[f'{stage}.dropped'] = share(total[:, -1].sum(), total.sum())
        inside, outside = self._confusion['before.inside'], self._confusion['before.outside']
        figures['flagged'] = share(inside.sum(), inside.sum() + outside.sum())
        wrong_in, wrong_out = (m.sum() - m.diagonal().sum() for m in (inside, outside))
        figures['errors_inside'] = share(wrong_in, wrong_in + wrong_out)
        for name, histogram in self._errors.items():
            figures[f'{name}.AP'] = 100 * average_precision(histogram)
            figures[f'{name}.calibration_error'] = 100 * calibration_error(histogram)
        return figures


def share(part: Tensor, whole: Tensor) -> float:
    """Percent; NaN of nothing."""
    return 100 * float(part) / float(whole) if float(whole) else float('nan')


def accuracy(confusion: Tensor) -> float:
    """Percent of the labels that are right, of a ``(K, K + 1)`` confusion matrix."""
    return share(confusion.diagonal().sum(), confusion[:, :-1].sum())


def mean_iou(confusion: Tensor) -> float:
    """mIoU in percent over the classes that the truth or the labels show."""
    square = confusion[:, :-1].double()
    union = square.sum(dim=0) + square.sum(dim=1) - square.diagonal()
    seen = union > 0
    return float((square.diagonal()[seen] / union[seen]).mean() * 100) if seen.any() else 0.0


def average_precision(histogram: Tensor) -> float:
    """Area under the precision-recall curve of a ``(bins, 2)`` histogram (right, wrong).

    Equal scores (one bin) are one step of the curve, as in scikit-learn.
    """
    right, wrong = histogram.flip(0).double().cumsum(dim=0).unbind(dim=1)
    if not wrong[-1]:
        return float('nan')
    precision = wrong / (right + wrong).clamp(min=1)
    recall = wrong / wrong[-1]
    steps = torch.diff(recall, prepend=recall.new_zeros(1))
    return float((precision * steps).sum())


def calibration_error(histogram: Tensor) -> float:
    """Expected calibration error (Guo et al. 2017) of a ``(bins, 2)`` histogram (right, wrong).

    Bins stand for equal parts of [0, 1]; the score of a pixel is taken for the middle of its bin.
    """
    right, wrong = histogram.double().unbind(dim=1)
    middle = (torch.arange(len(right), device=right.device) + 0.5) / len(right)
    gap = ((right + wrong) * middle - wrong).view(GROUPS, -1).sum(dim=1).abs().sum()
    return float(gap / (right + wrong).sum())
