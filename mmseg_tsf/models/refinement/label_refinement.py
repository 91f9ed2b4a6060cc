"""Refinement of a network's labels before they teach: error mask and PLAR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from torch import Tensor, nn

from ...utils.errors import UserError
from ..utils.feature_tap import FeatureTap
from ..utils.labels import IGNORE_INDEX, PseudoLabels, pseudo_labels, with_manual
from ..utils.pixel_losses import masked_mean
from ..utils.views import NetworkView
from .decisions import GridRefinement, paste_corrections

TAPS = ('decode_head.bottleneck', 'decode_head.sep_bottleneck')
SHARES = ('flagged', 'corrected', 'changed', 'unresolved')
"""Masks whose shares of the pixels are logged."""


@dataclass
class RefinedLabels:
    """Labels after refinement, and what happened to them.

    Attributes:
        before: The network's own labels.
        pseudo: The labels that count: refined, manual ones pasted in. Its ``source`` says who
            labelled each pixel.
        flagged: ``(N, H, W)`` bool, labels in doubt that nobody has labelled.
        corrected: ``(N, H, W)`` bool, flagged ones that the refiner decided.
        changed: ``(N, H, W)`` bool, those whose label is another one now.
        unresolved: ``(N, H, W)`` bool, the other flagged pixels, which are for the annotator.
        undecidable: ``(N,)`` bool, images in which the refiner has nothing to go by.
    """

    before: PseudoLabels
    pseudo: PseudoLabels
    flagged: Tensor
    corrected: Tensor
    changed: Tensor
    unresolved: Tensor
    undecidable: Tensor


class LabelRefinement(BaseModule):
    """Flags doubtful pseudo-labels, and corrects those that the refiner can decide.

    The heads learn on labelled images from the first iteration, so that the graph is the same in
    every step; labels are refined once :attr:`active` is set.
    :class:`~mmseg_tsf.engine.PLARHook` sets it, and :attr:`loss_weight`.

    Args:
        network: Segmentor whose labels are refined; its modules are the taps.
        num_classes: K.
        error_head: Config of an ``ErrorMaskDecoder``; ``in_channels`` is filled in. ``None``:
            the mask is the confidence alone.
        refiner: Config of a ``PseudoLabelAutoRefinement``; ``channels`` and ``num_classes`` are
            filled in. ``None``: flagged pixels keep or lose their label, see ``unresolved``.
        taps: Module paths of F1 and F2 in the segmentor.
        min_confidence: Pseudo-labels below it are flagged (the paper: 0.7), in (0, 1); ``None``
            for the EMD alone.
        unresolved: Fate of flagged pixels that nothing corrected: ``'keep'`` their
            pseudo-label (the paper, once the budget is spent) or ``'ignore'`` them.

    Raises:
        UserError: A wrong tap, a width that does not fit, a threshold outside (0, 1).
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        error_head: dict | None = None,
        refiner: dict | None = None,
        taps: Sequence[str] = TAPS,
        min_confidence: float | None = 0.7,
        unresolved: str = 'keep',
    ) -> None:
        super().__init__()
        _check_mask_options(error_head, min_confidence, unresolved)
        if len(taps) != 2:
            raise UserError(f'refinement.taps={tuple(taps)} must name two modules, F1 and F2')
        FeatureTap(network, taps)
        for path in taps:
            if path.split('.')[0] not in ('backbone', 'neck', 'decode_head'):
                raise UserError(
                    f'refinement.taps: {path!r} does not run when the network labels; name a '
                    'module of the backbone, the neck or the decode_head'
                )
        widths = [_out_channels(network.get_submodule(path)) for path in taps]
        self.taps, self.num_classes = tuple(taps), num_classes
        self.min_confidence, self.unresolved = min_confidence, unresolved
        self.active, self.loss_weight = False, 1.0
        # pixels by class of the pseudo-label, in all and in each mask; the last class: no label
        counts = torch.zeros(1 + len(SHARES), num_classes + 1, dtype=torch.int64)
        self.register_buffer('class_counts', counts, persistent=False)
        self.error_head = self.refiner = None
        if error_head is not None:
            self.error_head = MODELS.build(
                _with_widths(error_head, 'error_head.in_channels', [*widths, num_classes])
            )
        if refiner is not None:
            refiner = _with_widths(refiner, 'refiner.channels', widths)
            self.refiner = MODELS.build(dict(refiner, num_classes=num_classes))

    @torch.no_grad()
    def forward(
        self, view: NetworkView, manual: Tensor, valid: Tensor
    ) -> tuple[PseudoLabels, dict[str, Tensor]]:
        """The network's labels as training takes them: refined once :attr:`active` is set.

        Args:
            view: What the labelling network shows of the unlabelled images.
            manual: ``(N, H, W)`` int64, what people have labelled in them, 255 elsewhere.
            valid: ``(N, H, W)`` bool, False in the padding.

        Returns:
            tuple: Labels, and the shares of pixels that were flagged, corrected, changed and
            left unresolved, and of images in which nothing could be decided.
        """
        if not self.active:
            return with_manual(pseudo_labels(view.logits, valid), manual), {}
        refined = self.refine(view, manual, valid)
        slots = refined.before.labels.clamp(max=self.num_classes).flatten()
        masks = {name: getattr(refined, name) for name in SHARES}
        for counts, mask in zip(self.class_counts, (valid, *masks.values()), strict=True):
            counts.scatter_add_(0, slots, mask.flatten().long())
        stats = {f'refinement.{name}': masked_mean(mask, valid) for name, mask in masks.items()}
        stats['refinement.undecidable'] = refined.undecidable.float().mean()
        return refined.pseudo, stats

    @torch.no_grad()
    def refine(self, view: NetworkView, manual: Tensor, valid: Tensor) -> RefinedLabels:
        """Views, flags, refines and pastes, whether or not training does so by now.

        Training, reports and analysis tools all come here. Arguments as for :meth:`forward`.
        """
        before = pseudo_labels(view.logits, valid)
        mask = self.flag(view, before.confidence) & valid & (manual == IGNORE_INDEX)
        corrected, pseudo = torch.zeros_like(mask), before
        undecidable = mask.new_ones(len(mask))
        if self.refiner is not None:
            found = self.refiner(view.features, view.probs, mask, manual, valid)
            undecidable = found.undecidable
            pseudo, corrected = paste_corrections(before, view.probs, mask, found)
            if found.change is None:  # as sure as the least sure label that is believed
                least = pseudo.confidence.clamp(min=self.min_confidence or 0.5)
                pseudo.confidence = torch.where(corrected, least, pseudo.confidence)
        unresolved, changed = mask & ~corrected, pseudo.labels != before.labels
        if self.unresolved == 'ignore':
            pseudo.labels = pseudo.labels.masked_fill(unresolved, IGNORE_INDEX)
        return RefinedLabels(
            before=before,
            pseudo=with_manual(pseudo, manual),
            flagged=mask,
            corrected=corrected,
            changed=changed,
            unresolved=unresolved,
            undecidable=undecidable,
        )

    @torch.no_grad()
    def decide(
        self, view: NetworkView, flagged: Tensor, manual: Tensor, valid: Tensor
    ) -> GridRefinement:
        """Decisions on the grid of F2, for a query: masks and manual labels are on that grid."""
        return self.refiner(view.features, view.probs, flagged, manual, valid, with_change=False)

    def take_class_shares(self) -> dict[str, Tensor]:
        """Percent ``(K,)`` of each class's pseudo-labels in each mask since the last call.

        Summed over ranks, all of which must call it; NaN for a class that no pseudo-label had.
        """
        counts = self.class_counts[:, :-1].clone()
        self.class_counts.zero_()
        all_reduce(counts)
        return dict(zip(SHARES, 100 * counts[1:] / counts[0], strict=True))

    def flag(self, view: NetworkView, confidence: Tensor) -> Tensor:
        """``(N, H, W)`` bool error mask of the network's labels."""
        logits = None if self.error_head is None else self.error_logits(view)
        return self._mask(logits, confidence)

    def error_probability(self, view: NetworkView) -> Tensor:
        """``(N, H, W)`` the EMD's probability that a pseudo-label is wrong."""
        return _probability(self.error_logits(view), view.logits.shape[2:])

    def error_logits(self, view: NetworkView) -> Tensor:
        """``(N, 1, h, w)`` of the EMD."""
        return self.error_head([*view.features, view.probs])

    def _mask(self, logits: Tensor | None, confidence: Tensor) -> Tensor:
        doubt = threshold = None
        if logits is not None:
            doubt = _probability(logits.detach(), confidence.shape[1:])
            threshold = self.error_head.threshold
        return error_mask(doubt, confidence, threshold, self.min_confidence)

    @property
    def learns(self) -> bool:
        """Whether a head learns from what the labeller shows of labelled images."""
        return any(parameter.requires_grad for parameter in self.parameters())

    def losses(self, view: NetworkView, ground_truth: Tensor) -> dict[str, Tensor]:
        """Losses of the EMD and of learnt weights on labelled images.

        Args:
            view: What the labeller shows of the labelled images.
            ground_truth: ``(N, H, W)`` int64.

        Returns:
            dict[str, Tensor]: ``loss_emd`` and ``loss_weight_module``, as far as both exist.
        """
        losses, logits = {}, None
        if self.error_head is not None:
            logits = self.error_logits(view)
            losses['loss_emd'] = self.error_head.loss_on(logits, view.probs, ground_truth)
        if self.refiner is not None and self.refiner.weight_module is not None:
            with torch.no_grad():
                mask = self._mask(logits, view.probs.amax(dim=1))
            losses['loss_weight_module'] = self.refiner.loss(
                view.features, view.probs, mask, ground_truth
            )
        return {name: self.loss_weight * loss for name, loss in losses.items()}


def error_mask(
    doubt: Tensor | None,
    confidence: Tensor,
    threshold: float | None = 0.5,
    min_confidence: float | None = 0.7,
) -> Tensor:
    """``EMD > 0.5 OR confidence < 0.7``; either part may be left out (the paper's ablation).

    Args:
        doubt: ``(N, H, W)`` error probability of the EMD, or ``None`` for confidence alone.
        confidence: ``(N, H, W)`` largest softmax probability.
        threshold: Threshold of the error probability, in (0, 1).
        min_confidence: Least confidence that is trusted, or ``None`` for the EMD alone.

    Returns:
        Tensor: ``(N, H, W)`` bool, True where the pseudo-label is doubted.
    """
    mask = torch.zeros_like(confidence, dtype=torch.bool)
    if doubt is not None:
        mask = doubt > threshold
    if min_confidence is not None:
        mask = mask | (confidence < min_confidence)
    return mask


def _check_mask_options(
    error_head: dict | None,
    min_confidence: float | None,
    unresolved: str,
) -> None:
    """Checks the options of :class:`LabelRefinement`."""
    if min_confidence is not None and not 0 < min_confidence < 1:
        raise UserError(f'refinement.min_confidence={min_confidence} must lie in (0, 1)')
    if min_confidence is None and error_head is None:
        raise UserError(
            'refinement has neither min_confidence nor error_head, so nothing is ever '
            'flagged: set one of them'
        )
    if unresolved not in ('keep', 'ignore'):
        raise UserError(f"refinement.unresolved is 'keep' or 'ignore', not {unresolved!r}")


def _probability(logits: Tensor, size: tuple[int, int]) -> Tensor:
    return resize(logits.float(), size, mode='bilinear').squeeze(1).sigmoid()


def _out_channels(module: nn.Module) -> int | None:
    """Channels that a module returns, as far as its last convolution tells."""
    found = [m.out_channels for m in module.modules() if isinstance(m, nn.modules.conv._ConvNd)]
    return found[-1] if found else None


def _with_widths(cfg: dict, key: str, widths: list[int | None]) -> dict:
    """The config with its channels filled in, or checked where they are given.

    Raises:
        UserError: They do not fit, or cannot be told from the tapped modules.
    """
    name = key.split('.')[-1]
    given = cfg.get(name)
    if given is not None and not isinstance(given, Sequence):
        raise UserError(f'{key}={given} must list the channels of each input, here {widths}')
    if given is None and None in widths:
        raise UserError(f'{key} cannot be told from the tapped modules: set it')
    if given is not None and any(w not in (None, g) for w, g in zip(widths, given, strict=False)):
        raise UserError(f'{key}={list(given)}, but the taps and classes have {widths}')
    return {**cfg, name: given or widths}
