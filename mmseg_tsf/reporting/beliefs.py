"""What a network believes of an image of the pool, and what its refinement makes of that."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn

from ..active_learning.pool.pool import Pool, PoolImage
from ..active_learning.pool.pool_pass import evaluation_mode, manual_labels, preprocess
from ..active_learning.pool.reader import PoolItem
from ..models.utils.labels import IGNORE_INDEX
from ..utils.seeding import seeded


@dataclass
class Belief:
    """Maps of one image, as the network sees it, on the CPU.

    Attributes:
        pseudo: ``(h, w)`` int64 class ids before refinement.
        refined: ``(h, w)`` int64 labels that training uses outside of ``known``, 255 where they are
            dropped; ``None`` without a refinement, like the next three.
        flagged: ``(h, w)`` bool error mask, without what is known.
        corrected: ``(h, w)`` bool, the part of it that the refinement decided.
        known: ``(h, w)`` bool, the cells in which people have labelled a pixel.
    """

    pseudo: Tensor
    refined: Tensor | None = None
    flagged: Tensor | None = None
    corrected: Tensor | None = None
    known: Tensor | None = None


@torch.no_grad()
def believe(model: nn.Module, pool: Pool, image: PoolImage) -> Belief:
    """Maps of an image, by a ``SemiSegmentor`` in evaluation mode.

    A model with a refinement shows the labels of its labelling network and how the refinement
    changes them, given ``image.manual``; others, and those that slide, show their prediction.
    """
    data = pool.load(image.index)
    refinement = getattr(model, 'refinement', None)
    slides = (model.network.test_cfg or {}).get('mode', 'whole') == 'slide'
    if refinement is None or slides:
        found = model.test_step(pseudo_collate([data]))[0]
        return Belief(found.pred_sem_seg.data.squeeze(0).cpu())
    item = PoolItem(image, data['inputs'], data['data_samples'], None)
    images, valid = preprocess(model, [item])
    (height, width), padded = item.inputs.shape[1:], tuple(images.shape[2:])
    manual = manual_labels([item], padded, model, padded)
    view = model.view(model.labellers[0], images)
    refined = refinement.refine(view, manual, valid)
    known = manual != IGNORE_INDEX
    labels = torch.where(known, refined.before.labels, refined.pseudo.labels)
    maps = refined.before.labels, labels, refined.flagged, refined.corrected, known
    return Belief(*(part[0, :height, :width].cpu() for part in maps))


@contextlib.contextmanager
def unnoticed(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards all modes and random states are what they were."""
    device = next(model.parameters()).device
    devices = [device] if device.type == 'cuda' else []
    with torch.random.fork_rng(devices), seeded(0), evaluation_mode(model):
        yield
