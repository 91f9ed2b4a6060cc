"""Pseudo-label auto-refinement (PLAR; paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..utils.grid import labels_to_grid, nearest
from ..utils.pixel_losses import IGNORE_INDEX, hard_labels
from .class_memory import ClassMemory
from .class_statistics import ClassStatistics, class_statistics, sort_by_label
from .distances import PixelIndex
from .kriging import Kriging, krige
from .options import check_options
from .references import reference_labels, resize, thinned
from .result import Refinement, assemble
from .rules import Decision, best_two, class_prior, gather_evidence, gaussian, vote
from .weight_module import WeightModule, weight_loss


@MODELS.register_module()
class PseudoLabelAutoRefinement(nn.Module):
    """Corrects the pixels that the error mask flags by the features of the image's own classes.

    The defaults are what the measurements of ``tools/analysis/plar_ablation.py`` choose; the
    paper's own rule is ``PAPER``. By default, images that nobody has labelled anything in stay as
    they are: nothing is gained there.

    Args:
        num_classes: K.
        channels: Channels of the two feature maps.
        rule: ``'kriging'``, see ``kriging.py``, or what compares a pixel with the Gaussians of
            its image's classes: ``'vote'`` (the paper's), ``'gaussian'`` or ``'fused'``, see
            ``rules.py``. The options from ``reference`` to ``temperature`` are for these, and,
            with any rule, for what learnt weights learn from.
        kriging: Options of :class:`Kriging`.
        weights: Of the two maps: ``'equal'``, or ``'learnt'`` by a :class:`WeightModule` from
            the image's features (the paper's).
        reference: Which pixels describe a class: ``'manual'``, ``'reliable+manual'`` (the
            paper's) or ``'by_count'``, see ``references.py``.
        enough_manual: With ``'by_count'``, manual pixels from which on a class is described by
            them alone.
        min_pixels: Classes with fewer reference pixels in an image are no candidates there.
        covariance: ``'pooled'`` over the classes of an image, or one of each ``'class'`` (the
            paper's).
        shrinkage: Of the covariances: ``'ledoit_wolf'``, ``'oas'`` or a share in (0, 1].
        temperature: Divides the Gaussian log-likelihoods, see ``rules.py``.
        min_margin: Below this gap of the posterior a pixel stays unresolved, in [0, 1); not for
            the vote, which has no posterior.
        reject_above: Hybrid Mahalanobis distance (per root of a channel: about 1 for a class's
            own pixels) from the nearest class above which a pixel stays unresolved; not for
            kriging, which has its ``min_similarity``.
        memory: Options of :class:`ClassMemory`, which stands in for classes that an image lacks
            and is fed by :meth:`update_memory`; ``None`` for no memory. Not for kriging, which
            asks for no Gaussians.
        hidden: Width of the module of learnt weights.

    Raises:
        UserError: An option out of its range; names it.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int],
        rule: str = 'kriging',
        kriging: dict | None = None,
        weights: str = 'equal',
        reference: str = 'manual',
        enough_manual: int = 2,
        min_pixels: int = 2,
        covariance: str = 'pooled',
        shrinkage: str | float = 'ledoit_wolf',
        temperature: float = 4.0,
        min_margin: float = 0.0,
        reject_above: float | None = None,
        memory: dict | None = None,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.statistics_options = dict(
            min_pixels=min_pixels, shrinkage=shrinkage, covariance=covariance
        )
        check_options(
            channels,
            rule,
            weights,
            reference,
            enough_manual,
            temperature,
            min_margin,
            reject_above,
            memory,
            **self.statistics_options,
        )
        self.kriging = Kriging(**(kriging or {}))
        self.num_classes, self.rule = num_classes, rule
        self.reference, self.enough_manual = reference, enough_manual
        self.temperature, self.min_margin = temperature, min_margin
        self.reject_above = reject_above
        self.weight_module = WeightModule(channels, hidden) if weights == 'learnt' else None
        self.memories = None
        if memory is not None:
            memories = [ClassMemory(num_classes, own, **memory) for own in channels]
            self.memories = nn.ModuleList(memories)

    @torch.no_grad()
    def forward(
        self,
        features: Sequence[Tensor],
        probs: Tensor,
        error_mask: Tensor,
        manual_labels: Tensor | None = None,
        valid: Tensor | None = None,
        with_change: bool = True,
    ) -> Refinement:
        """Refines the pseudo-labels of a batch.

        Args:
            features: Two maps ``(N, C_j, h_j, w_j)``; the last one's grid ``(h, w)`` is the
                result's.
            probs: ``(N, K, H, W)`` softmax of the network, of any size.
            error_mask: ``(N, H, W)`` bool, of any size: pixels whose pseudo-label is in doubt.
            manual_labels: ``(N, H, W)`` int64, of any size, 255 where nobody has labelled.
            valid: ``(N, H, W)`` bool, of any size; not set in the padding.
            with_change: Whether ``Refinement.change`` is wanted; without it kriging is quicker.
        """
        with torch.autocast(probs.device.type, enabled=False):
            size = tuple(features[-1].shape[2:])
            probs = resize(probs, size)
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
                maps = [resize(f, size) for f in features]
                statistics = self._statistics(maps, reliable, manual)
                undecidable = statistics[0].valid.sum(dim=1) < 2
                decision = self._compare(maps, statistics, pixels, weights[pixels.image], probs)
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
        labels = reference_labels(
            reliable, manual, self.reference, self.num_classes, self.enough_manual
        )
        labels, options = sort_by_label(labels, self.num_classes), self.statistics_options
        statistics = [class_statistics(f, labels, self.num_classes, **options) for f in maps]
        if self.memories is not None:
            statistics = [
                memory.supply(own, options['min_pixels'], options['shrinkage'])
                for memory, own in zip(self.memories, statistics, strict=True)
            ]
        return statistics

    def _compare(
        self,
        maps: list[Tensor],
        statistics: list[ClassStatistics],
        pixels: PixelIndex,
        weights: Tensor,
        probs: Tensor,
    ) -> Decision:
        """The rules that compare M pixels with the classes; ``weights`` is ``(M, 2)``."""
        evidence = gather_evidence(maps, statistics, pixels, euclidean=self.rule == 'vote')
        if self.rule == 'vote':
            decision, distances = vote(evidence, weights)
        else:
            prior, fused = class_prior(statistics[0])[pixels.image], None
            if self.rule == 'fused':
                fused = probs.flatten(2)[pixels.image, :, pixels.position]  # (M, K)
            decision, distances = gaussian(evidence, weights, prior, self.temperature, fused)
        if self.reject_above is not None:
            decision.decided &= distances.amin(dim=1) <= self.reject_above
        return decision

    def _limit(
        self, decision: Decision, pixels: PixelIndex, probs: Tensor, undecidable: Tensor
    ) -> None:
        """Takes back what is too close, and what is said of images that can not be decided."""
        if self.min_margin:
            decision.decided &= decision.margin >= self.min_margin
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
            maps = [resize(f, size) for f in features]
            labels, flagged = nearest(labels, size), nearest(error_mask, size)
            left_out = flagged | (labels == IGNORE_INDEX)
            reliable = hard_labels(resize(probs, size)).masked_fill(left_out, IGNORE_INDEX)
            manual = torch.full_like(labels, IGNORE_INDEX)
            if self.reference == 'manual':  # then pseudo-labels do not count here either
                manual = labels.masked_fill(left_out, IGNORE_INDEX)
            pixels = PixelIndex.of(thinned(flagged & (labels != IGNORE_INDEX), max_pixels))
            statistics = self._statistics(maps, reliable, manual)
            evidence = gather_evidence(maps, statistics, pixels, euclidean=True)
            target = labels.flatten(1)[pixels.image, pixels.position]
        weights = self.weight_module(features)[pixels.image]
        return weight_loss(weights, evidence.euclidean, evidence.mahalanobis, target)

    @torch.no_grad()
    def update_memory(self, features: Sequence[Tensor], labels: Tensor) -> None:
        """Shows labelled images to the class memory; every rank must call it, or none.

        Args:
            features: Two maps ``(N, C_j, h_j, w_j)``.
            labels: ``(N, H, W)`` int64, of any size, 255 = ignore.
        """
        size = tuple(features[-1].shape[2:])
        labels = nearest(labels, size)
        for memory, own in zip(self.memories, features, strict=True):
            memory.update(resize(own, size), labels)
