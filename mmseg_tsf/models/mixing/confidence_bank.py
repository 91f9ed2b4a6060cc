"""AEL's two memories: how sure the network is of each class, and which image shows which."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, all_reduce
from torch import Tensor, nn

from ...utils.errors import UserError


class ConfidenceBank(nn.Module):
    """Running confidence per class on labelled pixels (AEL, equation 3).

    The value of a step is the mean softmax probability of class k over the labelled pixels of
    class k; a class that is absent from the step counts as 0, as in AEL's code. Sums are taken
    over all ranks, so every rank holds the same bank. It starts at 0.5 for every class rather
    than at random, so that no class is a favourite of the seed.

    Args:
        num_classes: K.
        momentum: Weight of the past, in [0, 1).
    """

    def __init__(self, num_classes: int, momentum: float = 0.999) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer('confidence', torch.full((num_classes,), 0.5))

    @torch.no_grad()
    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Takes one step.

        Args:
            logits: ``(N, K, H, W)``.
            labels: ``(N, H, W)`` int64, 255 = ignore.
        """
        num_classes = len(self.confidence)
        valid = labels < num_classes
        target = torch.where(valid, labels, 0)
        probability = logits.float().softmax(dim=1).gather(1, target.unsqueeze(1)).squeeze(1)
        totals = probability.new_zeros(2, num_classes)
        totals[0].scatter_add_(0, target.flatten(), (probability * valid).flatten())
        totals[1].scatter_add_(0, target.flatten(), valid.flatten().to(totals.dtype))
        all_reduce(totals)
        step = totals[0] / totals[1].clamp(min=1)
        self.confidence.lerp_(step, 1 - self.momentum)

    def sampling_rate(self) -> Tensor:
        """``(1 - c_k) / max_k (1 - c_k)``: AEL's chance of keeping a pixel of class k, ``(K,)``."""
        difficulty = 1 - self.confidence
        return difficulty / difficulty.max().clamp(min=1e-6)


class ClassBank(nn.Module):
    """Which image of the unlabelled pool was last predicted to show which class.

    The buffer grows to the pool's size when training starts (:meth:`resize`) or when a
    checkpoint is loaded, and is the same on every rank.

    Args:
        num_classes: K.
        min_area: Smallest share of a crop that counts as showing a class.
    """

    def __init__(self, num_classes: int, min_area: float = 0.01) -> None:
        super().__init__()
        self.min_area = min_area
        self.register_buffer('presence', torch.zeros(num_classes, 0, dtype=torch.bool))

    def resize(self, pool_size: int) -> None:
        """Makes room for ``pool_size`` images, all unknown."""
        self.presence = self.presence.new_zeros(len(self.presence), pool_size)

    @torch.no_grad()
    def update(self, labels: Tensor, indices: Tensor) -> None:
        """Notes what the teacher sees.

        Args:
            labels: ``(N, H, W)`` int64 predicted classes; K or more = nothing.
            indices: ``(N,)`` int64 positions in the pool, on the device of ``labels``.
        """
        num_classes = len(self.presence)
        flat = labels.flatten(1).clamp(max=num_classes)
        counts = torch.zeros(len(labels), num_classes + 1, device=labels.device)
        counts = counts.scatter_add(1, flat, torch.ones_like(flat, dtype=counts.dtype))
        shown = counts[:, :num_classes] >= self.min_area * flat.shape[1]
        shown = torch.cat(all_gather(shown.to(torch.uint8)))
        indices = torch.cat(all_gather(indices))
        # an image may be there twice (two ranks, or its own partner): either sight counts
        seen = self.presence.new_zeros(self.presence.shape[1], num_classes, dtype=torch.int32)
        seen = seen.index_add(0, indices, shown.int()).t() > 0
        touched = self.presence.new_zeros(self.presence.shape[1]).index_fill(0, indices, True)
        self.presence = torch.where(touched, seen, self.presence)

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        saved = state_dict.get(prefix + 'presence')
        if saved is not None and saved.shape != self.presence.shape:
            if self.presence.shape[1]:
                raise UserError(
                    f'the checkpoint was trained with {saved.shape[1]} unlabelled images of '
                    f'{saved.shape[0]} classes, the configured list has '
                    f'{self.presence.shape[1]} of {self.presence.shape[0]}: resume with the '
                    'list of that run, or start anew from an exported network with load_from'
                )
            self.presence = self.presence.new_zeros(saved.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)
