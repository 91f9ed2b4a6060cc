"""Pseudo-label auto-refinement (PLAR; paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ...utils.errors import UserError
from ..utils.grid import labels_to_grid, nearest, resize_features, thinned
from ..utils.labels import IGNORE_INDEX, hard_labels
from .class_statistics import (
    ClassStatistics,
    check_statistics_options,
    class_statistics,
    sort_by_label,
)
from .decisions import Decision, GridRefinement, assemble, best_two
from .distances import PixelIndex
from .kriging import Kriging, krige
from .vote import WeightModule, gather_evidence, vote, weight_loss

PAPER = dict(
    rule='vote',
    weights='learnt',
    reference='reliable+manual',
    min_pixels=8,
    shrinkage='ledoit_wolf',
)
"""The paper's own rule: every option that bears on it."""


@MODELS.register_module()
class PseudoLabelAutoRefinement(nn.Module):
    """Corrects the pixels that the error mask flags by the features of the image's own classes.

    The defaults are what the measurements of ``tools/analysis/plar_ablation.py`` choose; the
    paper's own rule is ``PAPER``. By default, images without a manual label stay unchanged:
    nothing is gained there.

    Args:
        num_classes: K.
        channels: Channels of the two feature maps.
        rule: ``'kriging'``, see ``kriging.py``, or ``'vote'``, the paper's, see ``vote.py``. The
            options from ``reference`` to ``shrinkage`` are for the vote, and with either rule for
            what learnt weights learn from.
        kriging: Options of :class:`Kriging`.
        weights: ``'equal'`` weights of the two maps, or ``'learnt'`` ones by a
            :class:`WeightModule` from the image's features (the paper's).
        reference: Pixels that describe a class: ``'manual'`` ones, or ``'reliable+manual'``, which
            adds pseudo-labels outside the error mask (the paper's).
        min_pixels: Least number of reference pixels with which a class of an image is a candidate.
        shrinkage: Shrinkage of the covariances: ``'ledoit_wolf'`` or a share in (0, 1].
        hidden: Width of the module of learnt weights.

    Raises:
        UserError: An option is out of its range; the message names it.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int],
        rule: str = 'kriging',
        kriging: dict | None = None,
        weights: str = 'equal',
        reference: str = 'manual',
        min_pixels: int = 2,
        shrinkage: str | float = 'ledoit_wolf',
        hidden: int = 64,
    ) -> None:
        super().__init__()
        _check_options(channels, rule, weights, reference)
        self.statistics_options = dict(min_pixels=min_pixels, shrinkage=shrinkage)
        check_statistics_options(**self.statistics_options)
        self.kriging = Kriging(**(kriging or {}))
        self.num_classes, self.rule = num_classes, rule
        self.reference = reference
        self.weight_module = WeightModule(channels, hidden) if weights == 'learnt' else None

    @torch.no_grad()
    def forward(
        self,
        features: Sequence[Tensor],
        probs: Tensor,
        error_mask: Tensor,
        manual_labels: Tensor | None = None,
        valid: Tensor | None = None,
        with_change: bool = True,
    ) -> GridRefinement:
        """Refines the pseudo-labels of a batch.

        Args:
            features: Two maps ``(N, C_j, h_j, w_j)``; the last one's grid ``(h, w)`` is the
                result's.
            probs: ``(N, K, H, W)`` softmax of the network, of any size.
            error_mask: ``(N, H, W)`` bool, of any size: pixels whose pseudo-label is in doubt.
            manual_labels: ``(N, H, W)`` int64, of any size, 255 where nobody has labelled.
            valid: ``(N, H, W)`` bool, of any size; not set in the padding.
            with_change: Whether to fill ``GridRefinement.change``; kriging is faster without it.
        """
        with torch.autocast(probs.device.type, enabled=False):
            size = tuple(features[-1].shape[2:])
            probs = resize_features(probs, size)
            pseudo = hard_labels(probs)
            manual = torch.full_like(pseudo, IGNORE_INDEX)
            if manual_labels is not None:
                manual = labels_to_grid(manual_labels, size, self.num_classes)
            flagged = nearest(error_mask, size)
            if valid is not None:
                outside = ~nearest(valid, size)
                pseudo, manual = (t.masked_fill(outside, IGNORE_INDEX) for t in (pseudo, manual))
                flagged = flagged & ~outside
            reliable = pseudo.masked_fill(flagged, IGNORE_INDEX)
            flagged = flagged & (manual == IGNORE_INDEX)
            pixels = PixelIndex.of(flagged)
            weights = self._weights(features, valid)
            if self.rule == 'kriging':
                inside = pseudo != IGNORE_INDEX
                decision = krige(
                    features, probs, manual, inside, pixels, weights, self.kriging, with_change
                )
                undecidable = (manual == IGNORE_INDEX).flatten(1).all(dim=1)
            else:
                maps = [resize_features(f, size) for f in features]
                statistics = self._statistics(maps, reliable, manual)
                undecidable = statistics[0].valid.sum(dim=1) < 2
                evidence = gather_evidence(maps, statistics, pixels)
                decision = vote(evidence, weights[pixels.image])
            self._limit(decision, pixels, probs, undecidable)
            return assemble(pseudo, manual, flagged, pixels, decision, undecidable)

    def _weights(self, features: Sequence[Tensor], valid: Tensor | None) -> Tensor:
        """``(N, 2)`` lambda_E and lambda_M of each image."""
        if self.weight_module is None:
            return features[0].new_full((len(features[0]), 2), 0.5, dtype=torch.float32)
        return self.weight_module(features, valid)

    def _statistics(
        self, maps: list[Tensor], reliable: Tensor, manual: Tensor
    ) -> list[ClassStatistics]:
        """One per map, from ``(N, h, w)`` pseudo-labels outside the mask and manual labels."""
        labels = manual
        if self.reference == 'reliable+manual':  # a manual label wins over a pseudo-label
            labels = torch.where(manual != IGNORE_INDEX, manual, reliable)
        labels = sort_by_label(labels, self.num_classes)
        return [
            class_statistics(f, labels, self.num_classes, **self.statistics_options) for f in maps
        ]

    def _limit(
        self, decision: Decision, pixels: PixelIndex, probs: Tensor, undecidable: Tensor
    ) -> None:
        """Leaves all pixels of undecidable images unresolved."""
        left = undecidable[pixels.image]
        decision.decided &= ~left
        best, second = best_two(probs.flatten(2)[pixels.image, :, pixels.position])
        decision.margin = torch.where(left, best - second, decision.margin)
        if decision.confidence is not None:
            decision.confidence = torch.where(left, best, decision.confidence)

    def loss(
        self,
        features: Sequence[Tensor],
        probs: Tensor,
        error_mask: Tensor,
        labels: Tensor,
        max_pixels: int = 4096,
    ) -> Tensor:
        """Loss of learnt weights on labelled images; nothing else gets a gradient.

        The task is that of :meth:`forward`: the flagged pixels of an image are told apart by the
        others. The truth is known for the flagged ones.

        Args:
            features: Two maps ``(N, C_j, h_j, w_j)``.
            probs: ``(N, K, H, W)`` softmax of the network, of any size.
            error_mask: ``(N, H, W)`` bool, of any size.
            labels: ``(N, H, W)`` int64 ground truth, of any size, 255 = ignore.
            max_pixels: About how many pixels are asked for, evenly spread over the mask.

        Returns:
            Tensor: Scalar; 0 where nothing can be learnt.
        """
        features = [f.detach() for f in features]
        with torch.no_grad(), torch.autocast(probs.device.type, enabled=False):
            size = tuple(features[-1].shape[2:])
            maps = [resize_features(f, size) for f in features]
            labels, flagged = nearest(labels, size), nearest(error_mask, size)
            left_out = flagged | (labels == IGNORE_INDEX)
            reliable = hard_labels(resize_features(probs, size)).masked_fill(left_out, IGNORE_INDEX)
            manual = torch.full_like(labels, IGNORE_INDEX)
            if self.reference == 'manual':  # then pseudo-labels do not count here either
                manual = labels.masked_fill(left_out, IGNORE_INDEX)
            pixels = PixelIndex.of(thinned(flagged & (labels != IGNORE_INDEX), max_pixels))
            statistics = self._statistics(maps, reliable, manual)
            evidence = gather_evidence(maps, statistics, pixels)
            target = labels.flatten(1)[pixels.image, pixels.position]
        weights = self.weight_module(features)[pixels.image]
        return weight_loss(weights, evidence.euclidean, evidence.mahalanobis, target)


def _check_options(channels: Sequence[int], rule: str, weights: str, reference: str) -> None:
    if len(channels) != 2:
        raise UserError(
            f'PLAR reads two feature maps, channels={tuple(channels)} has {len(channels)}'
        )
    for name, value, known in (
        ('rule', rule, ('kriging', 'vote')),
        ('weights', weights, ('equal', 'learnt')),
        ('reference', reference, ('manual', 'reliable+manual')),
    ):
        if value not in known:
            raise UserError(f'{name} must be one of {", ".join(known)}, not {value!r}')
