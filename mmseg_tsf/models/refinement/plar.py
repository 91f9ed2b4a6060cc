"""Pseudo-label auto-refinement (PLAR; paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..utils.pixel_losses import IGNORE_INDEX, hard_labels
from .class_memory import ClassMemory
from .class_statistics import ClassStatistics, check_statistics_options, class_statistics
from .distances import PixelIndex
from .references import REFERENCES, labels_to_grid, nearest, reference_labels
from .result import Refinement, assemble
from .rules import RULES, Decision, best_two, class_prior, gather_evidence, gaussian, vote
from .weight_module import WeightModule, weight_loss

PAPER = dict(rule='vote', reference='reliable+manual', shrinkage='ledoit_wolf')
"""The paper's own rule, by the names of the options."""


@MODELS.register_module()
class PseudoLabelAutoRefinement(nn.Module):
    """Corrects the pixels that the error mask flags by the features of the image's own classes.

    Args:
        num_classes: K.
        channels: Channels of the two feature maps.
        min_pixels: Classes with fewer reference pixels in an image are no candidates there.
        shrinkage: Of the covariances: ``'ledoit_wolf'``, ``'oas'`` or a share in (0, 1].
        rule: ``'vote'`` (the paper's), ``'gaussian'`` or ``'fused'``, see ``rules.py``.
        reference: Which pixels describe a class: ``'manual'``, ``'reliable+manual'`` (the
            paper's) or ``'by_count'``, see ``references.py``.
        enough_manual: With ``'by_count'``, manual pixels from which on a class is described by
            them alone.
        temperature: Divides the Gaussian log-likelihoods, see ``rules.py``.
        min_margin: Below this gap of the posterior a pixel stays unresolved, in [0, 1); not for
            the vote, which has no posterior.
        reject_above: Hybrid Mahalanobis distance (per root of a channel: about 1 for a class's
            own pixels) from the nearest class above which a pixel stays unresolved.
        memory: Options of :class:`ClassMemory`, which stands in for classes that an image lacks
            and is fed by :meth:`update_memory`; ``None`` for no memory.
        hidden: Width of the weight module.

    Raises:
        ValueError: An option out of its range; names it.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int],
        min_pixels: int = 8,
        shrinkage: str | float = 'ledoit_wolf',
        rule: str = 'vote',
        reference: str = 'reliable+manual',
        enough_manual: int = 32,
        temperature: float = 16.0,
        min_margin: float = 0.0,
        reject_above: float | None = None,
        memory: dict | None = None,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        check_statistics_options(min_pixels, shrinkage)
        _check_options(channels, rule, reference, enough_manual, temperature, min_margin)
        _check_ranges(reject_above, memory)
        self.num_classes = num_classes
        self.min_pixels, self.shrinkage = min_pixels, shrinkage
        self.rule, self.reference, self.enough_manual = rule, reference, enough_manual
        self.temperature, self.min_margin = temperature, min_margin
        self.reject_above = reject_above
        self.weight_module = WeightModule(channels, hidden)
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
    ) -> Refinement:
        """Refines the pseudo-labels of a batch.

        Args:
            features: Two maps ``(N, C_j, h_j, w_j)``; the last one's grid ``(h, w)`` is the
                result's.
            probs: ``(N, K, H, W)`` softmax of the network, of any size.
            error_mask: ``(N, H, W)`` bool, of any size: pixels whose pseudo-label is in doubt.
            manual_labels: ``(N, H, W)`` int64, of any size, 255 where nobody has labelled.
            valid: ``(N, H, W)`` bool, of any size; not set in the padding.
        """
        with torch.autocast(probs.device.type, enabled=False):
            size = tuple(features[-1].shape[2:])
            maps = [resize(f, size) for f in features]
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
            statistics = self._statistics(maps, pseudo.masked_fill(flagged, IGNORE_INDEX), manual)
            flagged = flagged & (manual == IGNORE_INDEX)
            pixels = PixelIndex.of(flagged)
            undecidable = statistics[0].valid.sum(dim=1) < 2
            weights = self.weight_module(features)[pixels.image]
            decision = self._decide(maps, statistics, pixels, weights, probs, undecidable)
            labels = torch.where(manual != IGNORE_INDEX, manual, pseudo)
            return assemble(labels, flagged, pixels, decision, undecidable)

    def _statistics(
        self, maps: list[Tensor], reliable: Tensor, manual: Tensor
    ) -> list[ClassStatistics]:
        """One per map, from ``(N, h, w)`` pseudo-labels outside the mask and manual labels."""
        labels = reference_labels(
            reliable, manual, self.reference, self.num_classes, self.enough_manual
        )
        options = (self.num_classes, self.min_pixels, self.shrinkage)
        statistics = [class_statistics(features, labels, *options) for features in maps]
        if self.memories is not None:
            statistics = [
                memory.supply(own, self.min_pixels, self.shrinkage)
                for memory, own in zip(self.memories, statistics, strict=True)
            ]
        return statistics

    def _decide(
        self,
        maps: list[Tensor],
        statistics: list[ClassStatistics],
        pixels: PixelIndex,
        weights: Tensor,
        probs: Tensor,
        undecidable: Tensor,
    ) -> Decision:
        """The rule, and what keeps it from deciding; ``weights`` is ``(M, 2)``."""
        own_probs = probs.flatten(2)[pixels.image, :, pixels.position]  # (M, K)
        evidence = gather_evidence(maps, statistics, pixels, euclidean=self.rule == 'vote')
        if self.rule == 'vote':
            decision, distances = vote(evidence, weights)
        else:
            prior = class_prior(statistics[0])[pixels.image]
            fused = own_probs if self.rule == 'fused' else None
            decision, distances = gaussian(evidence, weights, prior, self.temperature, fused)
            decision.decided &= decision.margin >= self.min_margin
        if self.reject_above is not None:
            decision.decided &= distances.amin(dim=1) <= self.reject_above
        left = undecidable[pixels.image]
        decision.decided &= ~left
        best, second = best_two(own_probs)
        decision.margin = torch.where(left, best - second, decision.margin)
        return decision

    def loss(
        self,
        features: Sequence[Tensor],
        probs: Tensor,
        error_mask: Tensor,
        labels: Tensor,
        max_pixels: int = 4096,
    ) -> Tensor:
        """Loss of the weight module on labelled images; nothing else gets a gradient.

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


def resize(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, ``(N, C, H, W)`` to ``(N, C, h, w)``; as it is where the size fits."""
    if tuple(features.shape[2:]) == size:
        return features
    return F.interpolate(features.float(), size, mode='bilinear', align_corners=False)


def thinned(mask: Tensor, max_pixels: int) -> Tensor:
    """About ``max_pixels`` of the set pixels of ``mask`` (bool), evenly spread, without chance."""
    rank = mask.flatten().cumsum(0)
    stride = rank[-1:].div(max_pixels, rounding_mode='floor').clamp(min=1)
    return mask & (rank % stride == 0).view_as(mask)


def _check_options(channels, rule, reference, enough_manual, temperature, min_margin) -> None:
    """Refuses options; see the class."""
    if len(channels) != 2:
        raise ValueError(
            f'PLAR reads two feature maps, channels={tuple(channels)} has {len(channels)}'
        )
    for name, value, known in (('rule', rule, RULES), ('reference', reference, REFERENCES)):
        if value not in known:
            raise ValueError(f'{name} must be one of {", ".join(known)}, not {value!r}')
    if enough_manual < 1:
        raise ValueError(f'enough_manual must be at least 1, not {enough_manual}')
    if temperature <= 0:
        raise ValueError(f'temperature must be above 0, not {temperature}')
    if not 0 <= min_margin < 1:
        raise ValueError(f'min_margin must be in [0, 1), not {min_margin}')
    if min_margin and rule == 'vote':
        raise ValueError('min_margin is a gap of posteriors, which rule=vote does not have')


def _check_ranges(reject_above, memory) -> None:
    """Refuses options; see the class."""
    if reject_above is not None and reject_above <= 0:
        raise ValueError(f'reject_above must be above 0 (or None), not {reject_above}')
    momentum = (memory or {}).get('momentum', 0.0)
    if not 0 <= momentum < 1:
        raise ValueError(f'memory must have a momentum in [0, 1), not {momentum}')
